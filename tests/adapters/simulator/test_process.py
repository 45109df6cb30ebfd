"""Simulators in processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trio

from triollama._errors import EngineError
from triollama_adapters.simulator import (
    SimulatorConfig,
    open_simulator_processes,
    open_simulators,
    process,
)

COMMAND = [sys.executable, "-m", "triollama_adapters.simulator"]


@pytest.mark.slow
async def test_processes_serve_and_end() -> None:
    """Each has its own URL and the configuration given; after the block nobody answers."""
    async with httpx.AsyncClient(trust_env=False) as client:
        async with open_simulators(2, SimulatorConfig(version="9.9.9")) as urls:
            assert len(set(urls)) == 2
            for url in urls:
                assert (await client.get(f"{url}/api/version")).json() == {"version": "9.9.9"}
        for url in urls:
            with pytest.raises(httpx.TransportError):
                await client.get(url)


@pytest.mark.slow
async def test_a_port_is_used_again() -> None:
    """One that is started on the port of one that was killed has its URL."""
    async with open_simulator_processes(1) as [first]:
        pass
    async with open_simulator_processes(1, port=urlsplit(first.url).port or 0) as [second]:
        assert (second.url, second.pid != first.pid) == (first.url, True)


@pytest.mark.slow
async def test_cancelling_kills_the_processes() -> None:
    """A deadline in the block ends them as well."""
    with trio.move_on_after(10) as scope:
        async with open_simulators(1) as urls:
            scope.cancel()
            await trio.sleep_forever()
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get(urls[0])


@pytest.mark.slow
async def test_a_process_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that refuses its configuration is a plain error that says which it was, and why."""
    monkeypatch.setattr(process, "config_to_json", lambda _config: {"wrong": 1})
    told = r"simulator [12] of 2 could not be started: .*configuration.*wrong"
    with pytest.raises(EngineError, match=told):
        async with open_simulators(2):
            pass


async def test_a_process_that_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told with its exit code; it is no wait of 30 s."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineError, match=r"simulator 1 of 1 .* exit code 1"):
        async with open_simulators(1):
            pass


async def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system says is passed on."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(EngineError, match=r"simulator 1 of 1 .* No such file"):
        async with open_simulators(1):
            pass


async def test_a_process_that_is_not_ready_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One that says nothing is given up and killed."""
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(silent))
    monkeypatch.setattr(process, "_READY_S", 0.05)
    with pytest.raises(EngineError, match=r"not ready within 0\.05 s"):
        async with open_simulators(1):
            pass


@pytest.mark.slow
async def test_a_terminals_interrupt_does_not_reach_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process is in a session of its own, not in that of whoever started it."""
    started: list[trio.Process] = []
    open_process = trio.lowlevel.open_process

    async def spy(*args: Any, **settings: Any) -> trio.Process:
        started.append(await open_process(*args, **settings))
        return started[-1]

    monkeypatch.setattr(trio.lowlevel, "open_process", spy)
    async with open_simulators(1):
        assert [os.getsid(one.pid) for one in started] == [one.pid for one in started]


@pytest.mark.slow
def test_an_address_that_cannot_be_bound_is_told() -> None:
    """The module says it as JSON in place of the URL, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        child = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, check=False, text=True
        )
    assert child.returncode == 2
    assert "cannot listen on 127.0.0.1" in json.loads(child.stdout)["error"]
    assert child.stderr == ""


@pytest.mark.slow
def test_the_process_ends_with_its_parent() -> None:
    """When stdin ends, as it does when the parent dies, the process ends by itself."""
    child = subprocess.Popen(
        [*COMMAND, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        url = json.loads(child.stdout.readline())["url"]
        assert httpx.get(f"{url}/", trust_env=False).text == "Ollama is running"
        child.stdin.close()
        assert child.wait(10) == 0
