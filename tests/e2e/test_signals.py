"""Programs with running streams get SIGTERM and Ctrl-C: they and the servers end in order."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from tests.e2e.readers import wait_until

from triollama import open_engine
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.server import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals"),
]

STREAMS = 200
READY_S = 15.0
"""How long a program may take to start and to have all its streams running."""
PATIENT_S, HURRIED_S = 15.0, 0.05
SHORT = fast_config(
    load_s=0.0, decode_tokens_per_s=100.0, answer_tokens_min=40, answer_tokens_max=60
)
"""About half a second an answer."""
LONG = attrs.evolve(SHORT, answer_tokens_min=400, answer_tokens_max=600)
"""About 5 s an answer: all run when the last one has begun."""

PROGRAM = [
    *(sys.executable, "-X", "dev", "-W", "error::ResourceWarning"),
    str(Path(__file__).with_name("interrupted.py")),
]
REPETITIONS = [0, 1, 2, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(3, 50))]
SIGNALS = [signal.SIGTERM, signal.SIGINT]


@attrs.define
class Program:
    """A program with an engine.

    Attributes:
        process: its process.
        said: what it printed.
        complaints: what it wrote to stderr.
    """

    process: trio.Process
    said: bytearray = attrs.field(factory=bytearray)
    complaints: bytearray = attrs.field(factory=bytearray)


async def _hear(stream: trio.abc.ReceiveStream | None, heard: bytearray) -> None:
    """Keep what a program writes."""
    assert stream is not None
    async with stream:
        while data := await stream.receive_some():
            heard += data


async def _run(url: str, grace_s: float, *numbers: int) -> Program:
    """Run the program, and send it signals when all its streams run, until it ends."""
    command = [*PROGRAM, url, str(STREAMS), str(grace_s)]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    program = Program(process)
    try:
        async with trio.open_nursery() as hearing:
            hearing.start_soon(_hear, process.stdout, program.said)
            hearing.start_soon(_hear, process.stderr, program.complaints)
            await wait_until(
                lambda: b"ready\n" in program.said or program.complaints != b"", READY_S
            )
            for number in numbers:
                process.send_signal(number)
            await process.wait()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    return program


def _outcomes(program: Program) -> dict[str, int]:
    """What became of the streams; fails if the program complained."""
    assert program.complaints.decode() == ""
    outcomes: dict[str, int] = json.loads(program.said.partition(b"ready\n")[2])
    return outcomes


async def _check_idle(server: Server, *, aborted: int) -> None:
    """Nothing runs on a server any more, so many streams were stopped, and it still answers."""
    simulator = server.simulator
    await wait_until(lambda: simulator.statistics().in_flight == 0)
    await wait_until(lambda: simulator.statistics().connections == 0)
    now = simulator.statistics()
    assert now.accepted == now.finished + now.failed + now.cancelled
    assert now.generations_started == STREAMS
    assert (now.generations_finished, now.generations_aborted) == (STREAMS - aborted, aborted)
    async with open_engine(server.url) as engine:
        options = {"num_predict": 3}
        assert (await engine.chat("llama3.2", "still there?", options=options)).content


@pytest.mark.parametrize("repetition", REPETITIONS)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_running_streams_may_finish(
    serve: Callable[..., Server], number: int, repetition: int
) -> None:
    """With time enough all streams finish, nothing new begins, and the exit code is the signal."""
    server = serve(SHORT)
    program = await _run(server.url, PATIENT_S, number)
    outcomes = _outcomes(program)
    assert program.process.returncode == 128 + number
    assert outcomes == {
        "begun": STREAMS,
        "done": STREAMS,
        "ended": STREAMS,
        "late EngineClosedError": 3,
    }
    await _check_idle(server, aborted=0)


@pytest.mark.parametrize("repetition", REPETITIONS)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_running_streams_are_ended(
    serve: Callable[..., Server], number: int, repetition: int
) -> None:
    """Those that need longer than `grace_s` end with a typed error, and the server stops."""
    server = serve(LONG)
    program = await _run(server.url, HURRIED_S, number)
    outcomes = _outcomes(program)
    assert program.process.returncode == 128 + number
    assert outcomes["begun"] == outcomes["ended"] == STREAMS
    assert outcomes["EngineClosedError"] == STREAMS
    assert outcomes["late EngineClosedError"] == 3
    await _check_idle(server, aborted=STREAMS)


@pytest.mark.parametrize("repetition", REPETITIONS)
async def test_a_second_signal_ends_at_once(serve: Callable[..., Server], repetition: int) -> None:
    """Who cancels the engine gets no traceback, and does not wait for `grace_s`."""
    server = serve(LONG)
    program = await _run(server.url, PATIENT_S, *SIGNALS)
    outcomes = _outcomes(program)
    assert program.process.returncode in {128 + number for number in SIGNALS}
    assert outcomes["begun"] == STREAMS
    assert outcomes.get("done", 0) == 0
    await _check_idle(server, aborted=STREAMS)
