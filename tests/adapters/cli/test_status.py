"""``triollama status``, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from triollama import RunningModel
from triollama_adapters.cli import _status
from triollama_adapters.cli._status import _loaded


@pytest.fixture
def gone() -> str:
    """The address of a server that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of one that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.slow
def test_a_fleet_is_shown(ollama_simulator: Any, gone: str, run: Any) -> None:
    """One row per server: version and health, or why it is not reached; exit code 0."""
    done = run("status", "--endpoint", ollama_simulator.url, "--endpoint", gone)
    head, well, bad, said = done.stdout.splitlines()
    assert head.split()[:3] == ["endpoint", "version", "health"]
    assert well.split()[:3] == [ollama_simulator.url.removeprefix("http://"), "0.33.0", "well"]
    assert "not reached" in bad
    assert "Connection refused" in bad
    assert said == "1 of 2 servers reached, 0 in line"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_loaded_models_and_how_long_they_stay(ollama_simulator: Any, start: Any, run: Any) -> None:
    """As the server tells it."""
    chat = start(*("chat", "llama3.2", "--endpoint", ollama_simulator.url), stdin=subprocess.PIPE)
    chat.communicate("Hello\n", timeout=20)
    [_, row, _] = run("status", "--endpoint", ollama_simulator.url).stdout.splitlines()
    assert row.rstrip().endswith("llama3.2:latest (5 min)")


@pytest.mark.slow
def test_nobody_there_is_exit_code_3(gone: str, run: Any) -> None:
    """A row with the reason, and no traceback."""
    done = run("status", "--endpoint", gone)
    assert (done.returncode, done.stderr) == (3, "")
    assert "no connection: Connection refused" in done.stdout


@pytest.mark.slow
def test_a_server_that_hangs_is_a_row_in_time(
    mute: str, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for beyond the first look; there is a row all the same."""
    monkeypatch.setattr(_status, "FIRST_LOOK_S", 0.3)
    done = run("status", "--endpoint", mute)
    assert done.returncode == 3
    assert "no answer yet" in done.stdout


@pytest.mark.slow
def test_as_json(ollama_simulator: Any, gone: str, run: Any) -> None:
    """One object with what the table has."""
    done = run("status", "--endpoint", ollama_simulator.url, "--endpoint", gone, "--json")
    told = json.loads(done.stdout)
    well, bad = told["endpoints"]
    assert (told["reached"], told["waiting"]) == (1, 0)
    assert (well["health"], well["is_reached"], well["version"]) == ("well", True, "0.33.0")
    assert well["probe_s"] > 0
    assert (bad["is_reached"], bad["reason"]) == (False, "no connection: Connection refused")


@pytest.mark.slow
def test_bad_addresses_are_one_clear_line(run: Any) -> None:
    """A scheme that is none, and a server given twice."""
    for addresses, words in [(["ftp://a"], "scheme"), (["http://a", "http://A:80/"], "twice")]:
        done = run("status", *(f"--endpoint={address}" for address in addresses))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert words in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watched_until_interrupted(start: Any, ollama_simulator: Any, number: int) -> None:
    """It goes on until Ctrl-C, which ends it with 130."""
    process = start("status", "--watch", "--endpoint", ollama_simulator.url)
    for _ in range(2):
        assert "1 of 1 servers reached, 0 in line: 127.0.0.1" in process.stdout.readline()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, stderr) == (130, "")


@pytest.mark.slow
def test_a_death_is_seen_by_who_watches(start: Any, run: Any) -> None:
    """One JSON object per line; the server that was there is not reached any more."""
    server = start("simulate", "--port", "0", "--fast")
    url = server.stderr.readline().split("listens on ")[1].split(";")[0]
    process = start("status", "--watch", "--json", "--endpoint", url)
    assert json.loads(process.stdout.readline())["reached"] == 1
    os.kill(server.pid, signal.SIGKILL)
    lines = (json.loads(process.stdout.readline()) for _ in range(10))
    reasons = [line["endpoints"][0]["reason"] for line in lines if not line["reached"]]
    assert reasons[-1] == "no connection: Connection refused"


@pytest.mark.slow
def test_a_reader_that_leaves_ends_it(start: Any, ollama_simulator: Any) -> None:
    """``triollama status --watch | head -1``: one line about it, no traceback."""
    process = start("status", "--watch", "--json", "--endpoint", ollama_simulator.url)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 2
    assert process.stderr.read() == "error: cannot write standard output: its reader has left\n"


@pytest.mark.parametrize("told", ["", "soon", "2026-13-01T00:00:00Z"])
def test_a_time_that_is_none_is_not_known(told: str) -> None:
    """Servers that imitate Ollama leave it out, or write it in their own way."""
    assert _loaded(RunningModel(name="m", expires_at=told)).stays_s is None


@pytest.mark.parametrize("told", ["2318-02-01T00:00:00.123456789+02:00", "2318-02-01T00:00:00Z"])
def test_a_time_with_nanoseconds_and_zone(told: str) -> None:
    """As Ollama writes it, also where a model stays for ever."""
    stays_s = _loaded(RunningModel(name="m", expires_at=told)).stays_s
    assert stays_s is not None
    assert stays_s > 8e9
