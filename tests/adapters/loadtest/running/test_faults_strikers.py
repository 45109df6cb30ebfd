"""Strikers: real simulators that are killed, stalled and slowed, and real commands."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trio

from triollama import EndpointConfig
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.running.commands import CommandStriker
from triollama_adapters.loadtest.running.faults import Act, Step, StrikeError
from triollama_adapters.loadtest.running.strikers import SimulatedStriker, open_simulated_striker
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.process import SimulatorProcess, open_simulator_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals"),
]

CONFIG = fast_config()


def step(act: Act, server: SimulatorProcess, share: float = 1.0) -> Step:
    """What is to be done to a server, now."""
    return Step(0.0, act, EndpointConfig(server.url).name, share)


def state_of(pid: int) -> str:
    """What the kernel says of a process: T is stopped, Z is dead and not yet waited for."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


async def wait_state(pid: int, *states: str) -> None:
    """Wait until the kernel says so."""
    while state_of(pid) not in states:
        await trio.sleep(0.01)


async def version_of(url: str) -> str:
    """Ask a server something."""
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        answer: str = (await client.get(f"{url}/api/version")).json()["version"]
        return answer


@pytest.fixture
async def server() -> AsyncIterator[SimulatorProcess]:
    """A simulated server."""
    async with open_simulator_processes(1, CONFIG) as started:
        yield started[0]


@pytest.fixture
async def striker(server: SimulatorProcess) -> AsyncIterator[SimulatedStriker]:
    """Who strikes it."""
    async with open_simulated_striker([server], CONFIG) as opened:
        yield opened


async def test_kill_and_restart(server: SimulatorProcess, striker: SimulatedStriker) -> None:
    """A killed server refuses; one that was started anew serves at the same address."""
    await striker.strike(step("kill", server))
    await wait_state(server.pid, "Z")
    with pytest.raises(httpx.ConnectError):
        await version_of(server.url)
    with pytest.raises(StrikeError, match="not running"):
        await striker.strike(step("kill", server))
    with pytest.raises(StrikeError, match="not running"):
        await striker.strike(step("stall", server))
    await striker.strike(step("restart", server))
    assert await version_of(server.url)
    await striker.strike(step("kill", server))
    with pytest.raises(httpx.ConnectError):
        await version_of(server.url)


async def test_restart_alone(server: SimulatorProcess, striker: SimulatedStriker) -> None:
    """A server that runs forgets what it has loaded."""
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        await client.post("/api/generate", json={"model": "llama3.2"})
        await striker.strike(step("restart", server))
        assert (await client.get("/api/ps")).json() == {"models": []}
        assert (await client.get("/_sim/state")).json()["restarts"] == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
async def test_stall(server: SimulatorProcess, striker: SimulatedStriker) -> None:
    """A stalled process stands still, and goes on."""
    await striker.strike(step("stall", server))
    await wait_state(server.pid, "T")
    await striker.strike(step("go_on", server))
    await wait_state(server.pid, "S", "R")
    assert await version_of(server.url)


async def test_slow(server: SimulatorProcess, striker: SimulatedStriker) -> None:
    """A slow server tells that it decodes at that share of its speed."""
    body = {"model": "llama3.2", "prompt": "p", "stream": False, "options": {"num_predict": 20}}
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        as_usual = (await client.post("/api/generate", json=body)).json()
        await striker.strike(step("slow", server, 0.25))
        slow = (await client.post("/api/generate", json=body)).json()
        await striker.strike(step("restore", server))
        again = (await client.post("/api/generate", json=body)).json()
    assert slow["eval_duration"] == pytest.approx(4 * as_usual["eval_duration"], rel=0.3)
    assert again["eval_duration"] < 2 * as_usual["eval_duration"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
async def test_end_repairs(server: SimulatorProcess) -> None:
    """At the end of the block nothing is stalled or slow, though the block raised."""
    with pytest.raises(ZeroDivisionError):
        async with open_simulated_striker([server], CONFIG) as striker:
            await striker.strike(step("slow", server, 0.1))
            await striker.strike(step("stall", server))
            raise ZeroDivisionError
    await wait_state(server.pid, "S", "R")
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False) as client:
        assert (await client.post("/_sim/speed", json={"share": 1})).status_code == 200


async def test_stranger(striker: SimulatedStriker) -> None:
    """A server that is not simulated cannot be struck so."""
    with pytest.raises(StrikeError, match="not simulated"):
        await striker.strike(Step(0.0, "kill", "gpu-1:11434"))


# ---- a user's command


def python(program: str, *words: str) -> CommandStriker:
    """A command that is a program of Python's."""
    return CommandStriker((sys.executable, "-c", program, *words), 10.0)


async def test_command_has_its_words(tmp_path: Path) -> None:
    """Each word is one argument, with its places filled; no shell looks at them."""
    program = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))"
    words = ("{act}", "{endpoint}", "{host} {port}", "{percent}", "$(exit 3); *", "{other}")
    told = await python(program, str(tmp_path / "said"), *words).strike(
        Step(0.0, "slow", "[::1]:11434", 0.125)
    )
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said == "slow|[::1]:11434|::1 11434|12.5|$(exit 3); *|{other}"
    assert told == f"by {sys.executable}"


async def test_command_that_fails() -> None:
    """Its exit code and the beginning of what it said are told."""
    program = "import sys; print('no such host\\n  at all'); sys.exit(7)"
    with pytest.raises(StrikeError, match=r"ended with 7: no such host at all$"):
        await python(program).strike(Step(0.0, "kill", "a:1"))


async def test_command_that_is_not_there() -> None:
    """A program that does not exist is named."""
    with pytest.raises(StrikeError, match=r"/no/such cannot be run: No such file"):
        await CommandStriker(("/no/such",)).strike(Step(0.0, "kill", "a:1"))


async def test_command_that_does_not_end(tmp_path: Path) -> None:
    """It is killed at its deadline, with what it started."""
    program = (
        "import subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(60)"
    )
    note = tmp_path / "pid"
    striker = CommandStriker((sys.executable, "-c", program, str(note)), 1.0)
    with pytest.raises(StrikeError, match=r"did not end within 1 s"):
        await striker.strike(Step(0.0, "kill", "a:1"))
    pid = int(note.read_text(encoding="ascii"))
    with trio.fail_after(5):
        while is_running(pid):
            await trio.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process is there, and not just unburied."""
    try:
        os.kill(pid, 0)
        return not Path("/proc").exists() or state_of(pid) != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("text", "told"), [("", "is empty"), ("ssh 'gpu-1", "No closing quot")])
def test_command_that_means_nothing(text: str, told: str) -> None:
    """A line without words, or with half a quote, is refused before the run."""
    with pytest.raises(PlanError, match=told):
        CommandStriker.parse(text)


def test_command_is_split_at_quotes() -> None:
    """Quotes hold words together."""
    parsed = CommandStriker.parse("ssh {host} 'systemctl {act} ollama'", deadline_s=5.0)
    assert parsed == CommandStriker(("ssh", "{host}", "systemctl {act} ollama"), 5.0)
