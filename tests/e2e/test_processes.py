"""Servers and engines as processes that are killed, stopped and interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import trio
from tests.e2e.fleet import Fleet
from tests.e2e.readers import answered_by, attempts_of, check_whole, make_readers, read_all

from triollama import EndpointConfig, EngineConfig, Outcome, open_engine
from triollama_adapters.cli._readers import Reader

STREAMS = 60
GRACE_S = 0.5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals"),
]


async def _load_with_a_signal(
    fleet: Fleet, after_s: float, how: int
) -> tuple[list[Reader], list[Reader], int]:
    """60 streams over three servers; after a while the first server gets a signal.

    Returns:
        All readers, those that it answered then, and how many chunks had come for all.
    """
    readers = make_readers(STREAMS, fleet.config)
    victim, name = fleet.urls[0], fleet.names[0]
    config = EngineConfig(first_token_s=2.0, stall_s=1.0)
    endpoints = [EndpointConfig(url, num_parallel=STREAMS // 3) for url in fleet.urls]
    async with open_engine(*endpoints, config=config) as engine:
        async with trio.open_nursery() as reading:
            reading.start_soon(read_all, engine, readers)
            await trio.sleep(after_s)
            hit = answered_by(readers, name)
            chunks = sum(reader.stream.chunks for reader in readers if reader.stream is not None)
            fleet.signal(victim, how)
            if how == signal.SIGSTOP:
                await trio.sleep(0.3)
                fleet.signal(victim, signal.SIGCONT)
        now = engine.statistics()
        assert now.accepted == STREAMS == now.done + now.failed
        assert [endpoint.in_flight for endpoint in now.endpoints] == [0, 0, 0]
    check_whole(readers)
    return readers, hit, chunks


async def test_killed_before_the_first_byte(fleet: Fleet) -> None:
    """While the model still loads, a server dies: nobody notices, all are answered elsewhere."""
    _, hit, chunks = await _load_with_a_signal(fleet, 0.1, signal.SIGKILL)
    assert chunks == 0
    assert len(hit) == STREAMS / 3
    for reader in hit:
        first, *_, last = attempts_of(reader)
        # One on a connection that a probe has used before may be that connection's fault.
        assert first.endpoint == fleet.names[0]
        assert first.why in (Outcome.UNREACHABLE, Outcome.UNUSED)
        assert (last.endpoint != fleet.names[0], last.why) == (True, Outcome.DONE)


async def test_stopped_and_continued(fleet: Fleet) -> None:
    """A server that pauses for less than the clocks allow costs nothing but time."""
    readers, _, _ = await _load_with_a_signal(fleet, 0.3, signal.SIGSTOP)
    assert all(len(attempts_of(reader)) == 1 for reader in readers)


async def test_stopped_for_good(fleet: Fleet) -> None:
    """A server that hangs is left: by the clocks, with nothing lost that had not begun."""
    victim = fleet.urls[0]
    config = EngineConfig(first_token_s=0.6, stall_s=0.3)
    fleet.signal(victim, signal.SIGSTOP)
    try:
        async with open_engine(*fleet.urls, config=config) as engine:
            async with trio.open_nursery() as asking:
                for number in range(12):
                    asking.start_soon(engine.chat, "llama3.2", f"question {number}")
            now = engine.statistics()
            assert now.done == 12
            assert now.endpoints[0].failures_in_row or now.endpoints[0].state != "closed"
    finally:
        fleet.signal(victim, signal.SIGCONT)


PROGRAM = """
import sys
import trio
import triollama

async def read(engine, number):
    try:
        async with engine.stream_chat("llama3.2", f"question {number}") as stream:
            async for _ in stream:
                pass
    except triollama.EngineClosedError:
        print("closed", flush=True)

async def main():
    config = triollama.EngineConfig(grace_s=float(sys.argv[2]))
    async with trio.open_nursery() as outer:
        async with triollama.open_engine(sys.argv[1], config=config) as engine:
            for number in range(20):
                outer.start_soon(read, engine, number)
            await trio.sleep(0.1)
            print("ready", flush=True)
            await trio.sleep_forever()

try:
    trio.run(main)
except* KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("interrupts", [1, 2])
async def test_an_interrupted_engine_ends(fleet: Fleet, interrupts: int) -> None:
    """Ctrl-C ends a program with running streams within its grace, and the servers have stopped."""
    url = fleet.urls[0]
    command = [sys.executable, "-c", PROGRAM, url, str(GRACE_S)]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    async with process.stdout:
        said = b""
        while b"ready" not in said:
            said += await process.stdout.receive_some()
        started_s = trio.current_time()
        for _ in range(interrupts):
            process.send_signal(signal.SIGINT)
            await trio.sleep(0.01)
        with trio.move_on_after(5):
            # The second signal may find Python itself on its way out.
            assert await process.wait() in {130, -signal.SIGINT}
        assert process.returncode is not None, "it hangs"
        assert trio.current_time() - started_s < GRACE_S + 1.0
    async with open_engine(url) as engine:
        assert (await engine.chat("llama3.2", "still there?")).content
