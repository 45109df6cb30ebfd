"""``triollama status`` and ``triollama demo``, as a user runs them."""

from __future__ import annotations

import json
import signal
import socket
import time
from typing import Any

import pytest

from triollama_adapters.cli import main


def free_port() -> int:
    """A port that refuses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.mark.slow
def test_a_fleet_is_shown(ollama_simulator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """One row per server: version and health, or that it is not reached; exit code 0."""
    gone = f"http://127.0.0.1:{free_port()}"
    assert main(["status", "--endpoint", ollama_simulator.url, "--endpoint", gone]) == 0
    head, well, bad = capsys.readouterr().out.strip().splitlines()
    assert head.split()[:3] == ["endpoint", "version", "health"]
    assert "well" in well
    assert "not reached" in bad


@pytest.mark.slow
def test_nobody_there_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    """A row with the reason, and no traceback."""
    assert main(["status", "--endpoint", f"http://127.0.0.1:{free_port()}"]) == 3
    said = capsys.readouterr()
    assert "not reached" in said.out
    assert said.err == ""


@pytest.mark.slow
def test_as_json(ollama_simulator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """All numbers of the engine in one object."""
    assert main(["status", "--endpoint", ollama_simulator.url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    [endpoint] = told["pool"]["endpoints"]
    assert endpoint["state"] == "closed"
    assert told["health"]["endpoints"][0]["is_good"] is True


@pytest.mark.slow
def test_watched_until_interrupted(start: Any, ollama_simulator: Any) -> None:
    """It goes on until Ctrl-C, which ends it with 130."""
    process = start("status", "--watch", "--endpoint", ollama_simulator.url)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130, err
    assert "1 of 1 servers reached" in out


@pytest.mark.slow
def test_the_demo_proves_what_it_says(run: Any) -> None:
    """A server is killed, one is stopped, and no character is lost or doubled."""
    done = run("demo", "--streams", "60")
    assert done.returncode == 0, done.stderr
    assert "60 of 60 streams complete" in done.stderr
    assert "0 lost, 0 doubled" in done.stderr
    assert "(SIGKILL) while" in done.stderr
