"""The command ``triollama demo``: servers die under 200 streams, and no reader notices.

Starts three simulated servers, asks 200 questions at once, kills one server in the middle and stops
another, and compares what each reader got, character by character, with the unbroken answer.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama import (
    EndpointConfig,
    EndpointEjected,
    Engine,
    EngineConfig,
    Fact,
    ProbeConfig,
    StreamContinued,
    Subscription,
    open_engine,
)
from triollama_adapters.cli._failures import EXIT_INTERRUPTED, EXIT_OK, EXIT_SOME_FAILED
from triollama_adapters.cli._fleet_table import FleetTable, open_fleet_table
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._readers import Reader, Verdict, compare, describe_waits
from triollama_adapters.simulator import (
    SimulatorConfig,
    SimulatorProcess,
    open_simulator_processes,
    open_simulators,
)

__all__ = ["DEMO_EXAMPLES", "demo"]

MODEL: Final = "llama3.2"
SERVERS: Final = 3
STREAMS_MAX: Final = 1_000
STREAMS_AT_KILL: Final = 50
"""Streams that run on a server, with tokens read, before it is killed; a quarter of all if few."""
CHUNKS_AT_KILL: Final = 10
STALL_S: Final = 1.0
STRIKE_AGAIN_S: Final = 1.0
"""Between the two strikes: the streams of the first have gone on by then."""
STRIKE_WITHIN_S: Final = 20.0
DONE_WITHIN_S: Final = 60.0
SHOW_EVERY_S: Final = 0.25

_PACE = SimulatorConfig(
    load_s=0.2,
    decode_tokens_per_s=25.0,
    prefill_tokens_per_s=2_000.0,
    answer_tokens_min=100,
    answer_tokens_max=140,
    num_parallel=STREAMS_MAX,
)
_FAST = attrs.evolve(_PACE, load_s=0.0, decode_tokens_per_s=5_000.0, prefill_tokens_per_s=1e6)
_CONFIG = EngineConfig(stall_s=STALL_S, probe=ProbeConfig(interval_s=0.5, timeout_s=0.5))
"""Shorter clocks than the usual ones, for a short show."""

DEMO_EXAMPLES: Final = """
Examples:

* `triollama demo`
* `triollama demo --streams 50`
"""


@attrs.define
class Show:
    """What happened.

    Attributes:
        readers: one per stream.
        killed: the name of the server that was killed.
        stalled: the name of the one that was stopped.
        killed_streams: streams that ran there in that moment.
        stalled_streams: the same of the other.
        ways: how streams went on, by way.
        ejected: names of servers that were taken out of service.
    """

    readers: list[Reader]
    killed: str = ""
    stalled: str = ""
    killed_streams: int = 0
    stalled_streams: int = 0
    ways: dict[str, int] = attrs.field(factory=dict)
    ejected: list[str] = attrs.field(factory=list)

    def hear(self, fact: Fact) -> None:
        """Something happened."""
        if isinstance(fact, StreamContinued):
            self.ways[fact.way] = self.ways.get(fact.way, 0) + 1
        elif isinstance(fact, EndpointEjected):
            self.ejected.append(fact.endpoint)


async def demo(
    *,
    streams: Annotated[int, Parameter(validator=Number(gte=20, lte=STREAMS_MAX))] = 200,
) -> int:
    """Kill a server under 200 streams, stall another, and compare what the readers got.

    Nothing but this program is needed: the servers are simulated ones, on this machine. It takes
    about fifteen seconds.

    Args:
        streams: How many answers are read at once.

    Returns:
        0 if every reader got the whole answer, without a character lost or doubled.
    """
    code = EXIT_SOME_FAILED

    async def work() -> None:
        nonlocal code
        sys.stderr.write(f"starting {SERVERS + 1} simulated servers ...\n")
        async with open_simulators(1, _FAST) as [url]:
            wholes = await _ask_all(url, streams)
        async with open_simulator_processes(SERVERS, _PACE) as servers:
            show = await _run(servers, wholes)
        code = _report(show)

    return EXIT_INTERRUPTED if await run_until_stopped(work) else code


def _question(number: int) -> str:
    return f"Question {number}: what happens to a stream when its server dies?"


async def _ask_all(url: str, streams: int) -> list[str]:
    """The unbroken answers, from a server that nothing happens to."""
    wholes = [""] * streams

    async def ask(number: int) -> None:
        wholes[number] = (await engine.chat(MODEL, _question(number))).content

    endpoint = EndpointConfig(url, max_in_flight=STREAMS_MAX, num_parallel=STREAMS_MAX)
    async with open_engine(endpoint) as engine, trio.open_nursery() as asking:
        for number in range(streams):
            asking.start_soon(ask, number)
    return wholes


async def _run(servers: list[SimulatorProcess], wholes: list[str]) -> Show:
    show = Show([Reader(number, whole) for number, whole in enumerate(wholes)])
    endpoints = [
        EndpointConfig(each.url, max_in_flight=STREAMS_MAX, num_parallel=STREAMS_MAX)
        for each in servers
    ]
    pids = {config.name: each.pid for config, each in zip(endpoints, servers, strict=True)}
    with open_fleet_table(sys.stderr) as table:
        async with open_engine(*endpoints, config=_CONFIG) as engine, engine.subscribe() as facts:
            await engine.load(MODEL)
            async with trio.open_nursery() as helpers:
                helpers.start_soon(_listen, facts, show)
                helpers.start_soon(_display, engine, show, table)
                await _read_all(engine, show, pids)
                helpers.cancel_scope.cancel()
            table.show(engine.statistics(), _progress(show))
    return show


async def _read_all(engine: Engine, show: Show, pids: dict[str, int]) -> None:
    with trio.move_on_after(DONE_WITHIN_S):
        async with trio.open_nursery() as reading:
            for reader in show.readers:
                reading.start_soon(_read, engine, reader)
            await _strike(show, pids)


async def _read(engine: Engine, reader: Reader) -> None:
    async with engine.stream_chat(MODEL, _question(reader.number)) as stream:
        reader.stream = stream
        async for chunk in stream:
            reader.take(chunk.content, trio.current_time())
        reader.is_whole = True


async def _strike(show: Show, pids: dict[str, int]) -> None:
    """Kill the server with the most streams, once enough of them have begun; then stop another."""
    enough = min(STREAMS_AT_KILL, len(show.readers) // 4)
    with trio.move_on_after(STRIKE_WITHIN_S):
        show.killed, struck = await _wait_busy(show.readers, list(pids), enough)
        for reader in struck:
            reader.struck = "killed"
        show.killed_streams = len(struck)
        os.kill(pids[show.killed], signal.SIGKILL)
        await trio.sleep(STRIKE_AGAIN_S)
        for reader in struck:
            reader.waited_s = reader.longest_s
        others = [name for name in pids if name != show.killed]
        show.stalled, struck = await _wait_busy(show.readers, others, 1)
        for reader in struck:
            reader.struck = reader.struck or "stalled"
        show.stalled_streams = len(struck)
        os.kill(pids[show.stalled], signal.SIGSTOP)


async def _wait_busy(
    readers: list[Reader], names: list[str], enough: int
) -> tuple[str, list[Reader]]:
    """The busiest of some servers, once so many of its streams have begun, and their readers."""
    while True:
        begun = _begun(readers)
        busiest = max(names, key=lambda name: len(begun.get(name, ())))
        if len(begun.get(busiest, ())) >= enough:
            return busiest, begun[busiest]
        await trio.sleep(0.02)


def _begun(readers: list[Reader]) -> dict[str, list[Reader]]:
    """Readers in the middle of their answer, by the server that writes it."""
    found: dict[str, list[Reader]] = {}
    for reader in readers:
        if reader.chunks >= CHUNKS_AT_KILL and not reader.is_whole:
            found.setdefault(reader.endpoint, []).append(reader)
    return found


async def _listen(facts: Subscription, show: Show) -> None:
    async for fact in facts:
        show.hear(fact)


async def _display(engine: Engine, show: Show, table: FleetTable) -> None:
    while True:
        table.show(engine.statistics(), _progress(show))
        await trio.sleep(SHOW_EVERY_S)


def _progress(show: Show) -> str:
    whole = sum(reader.is_whole for reader in show.readers)
    said = f"{whole} of {len(show.readers)} streams complete, {sum(show.ways.values())} went on"
    if show.killed:
        said += f"; {show.killed} was killed, {show.stalled} stopped"
    return said


def _report(show: Show) -> int:
    verdict: Verdict = compare(show.readers)
    ways = ", ".join(f"{count} by {way}" for way, count in show.ways.items()) or "none"
    differences = f"{verdict.lost} lost, {verdict.doubled} doubled, of {verdict.characters:,}"
    waited = {struck: describe_waits(show.readers, struck) for struck in ("killed", "stalled")}
    lines = [
        f"{verdict.whole} of {len(show.readers)} streams complete",
        f"killed      {show.killed} (SIGKILL) while {show.killed_streams} of its streams ran",
        f"stalled     {show.stalled} (SIGSTOP) while {show.stalled_streams} of its streams ran",
        f"went on     {ways}",
        f"characters  {differences} (compared with the unbroken answers)",
        f"waited      readers of the killed server: {waited['killed']}",
        f"            readers of the stalled server: {waited['stalled']} (stall_s {STALL_S:g} s)",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    enough = min(STREAMS_AT_KILL, len(show.readers) // 4)
    is_proof = show.killed_streams >= enough and show.stalled_streams > 0
    if not is_proof:
        sys.stderr.write("error: no server had enough streams in time, so nothing was proven\n")
    return EXIT_OK if is_proof and verdict.is_clean else EXIT_SOME_FAILED
