"""Simulators in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest
import trio

from triollama_adapters.simulator import SimulatorConfig, open_simulators, process

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
    """One that ends at once is an error, not a wait."""
    monkeypatch.setattr(process, "config_to_json", lambda _config: {"wrong": 1})
    with pytest.RaisesGroup(RuntimeError):
        async with open_simulators(1):
            pass


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
