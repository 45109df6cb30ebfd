"""A server is struck under its running streams: how long their readers wait. For two trials.

Two simulators in processes of their own; by its weight one gets nearly all of the streams. Before
the strike the other is asked, all at once, to go on with the texts of those that will be struck.
The median time from sending to first token is what it needs by itself, under the same load; of some
such controls the quickest counts, for the machine may have had something else to do in the others.
After that both are left alone for a while, which shows whether the load is what it should be. Then
comes the strike.

A wait may be shorter than the quickest control and the least that the engine can need: then the
controls were disturbed, there is nothing to compare with, and the run says so.

A wait is counted from the last chunk before the strike. So half the time between two chunks is in
it, 5 ms, and what the kernel takes to end a process, some 4 ms.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import attrs
import trio

from benchmarks.figures import SERVED_MIN, percentile
from benchmarks.plan import MODEL
from benchmarks.trial import Finding
from benchmarks.trials.asks import Ask, missing, read, readers_of
from triollama import EndpointConfig, Engine, EngineConfig, open_engine
from triollama_adapters.cli._readers import Reader
from triollama_adapters.simulator import SimulatorConfig, open_simulator_processes

STREAMS = 102
"""Over both servers; a few may begin on the other."""

WEIGHT = 9.0
"""Of the server that is struck, to the other's 1."""

RUNNING_MIN = 100

TOKENS_PER_S = 100.0

PACE = SimulatorConfig(
    load_s=0.2,
    # What a prompt costs must not grow while its answer does: the control comes a little sooner.
    prefill_tokens_per_s=1e6,
    decode_tokens_per_s=TOKENS_PER_S,
    answer_tokens_min=560,
    answer_tokens_max=600,
    num_parallel=2 * STREAMS,
)

APART_S = 0.004
"""Between the beginnings of two streams, in seconds: in one burst all would go to the server that
was the quicker one to load the model."""

CHUNKS_MIN = 10
"""Pieces that each stream has brought before anything is measured."""

CONTROLS = 3
"""How often the other server is asked what it needs by itself."""

BETWEEN_S = 0.2
"""Between two controls, in seconds."""

SETTLE_S = 1.0
"""Between the control and the strike, in seconds."""

AFTER_S = 1.0
"""After the strike and what is due: how long the waits are looked at, in seconds. An answer still
runs for longer."""


@attrs.define
class Struck:
    """What happened.

    Attributes:
        first_token_s: What the other server needs by itself, in seconds.
        load: Chunks that came before the strike, as a share of those that were due.
        waits_s: For each reader of the server that was struck, the longest wait, in seconds.
        noticed_s: For each of these streams that broke, when that was noticed, in seconds from the
            strike.
        sent_s: The same: when the other server was asked to go on.
    """

    first_token_s: float = 0.0
    load: float = 0.0
    waits_s: list[float] = attrs.field(factory=list)
    noticed_s: list[float] = attrs.field(factory=list)
    sent_s: list[float] = attrs.field(factory=list)

    @property
    def went_on(self) -> int:
        """How many of these streams were broken by the strike and sent to the other server."""
        return len(self.sent_s)


def strike(number: signal.Signals, config: EngineConfig, due_s: float = 0.0) -> Finding:
    """Strike a server once.

    Args:
        number: The signal that it gets.
        config: The engine's.
        due_s: `EngineConfig.stall_s` if nothing but that clock tells of the strike, in seconds.

    Returns:
        In milliseconds the waits ``p50``, ``p99`` and ``max``, as they are; what the other server
        needs by itself as ``first token elsewhere``; the waits less that and what is due, as
        ``beyond p50`` and ``beyond p99``; and the medians of when the breaks were ``noticed`` and
        the rest of the answers asked for (``sent again``), from the strike on.
    """
    asks = [Ask(f"Question {n + 1}: what becomes of a stream?") for n in range(STREAMS)]
    readers = readers_of(asks, PACE)
    struck = trio.run(_strike, asks, readers, number, config, AFTER_S + due_s)
    noticed = missing(readers)
    waits_ms = [1e3 * wait_s for wait_s in struck.waits_s]
    figures = {
        "streams": float(len(waits_ms)),
        "load": 100 * struck.load,
        "first token elsewhere": 1e3 * struck.first_token_s,
        **noticed,
    }
    if struck.sent_s:
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        figures |= {name: percentile(waits_ms, share) for name, share in shares.items()}
        due_ms = 1e3 * (due_s + struck.first_token_s)
        figures |= {f"beyond {name}": figures[name] - due_ms for name in ("p50", "p99")}
        figures["noticed"] = 1e3 * percentile(struck.noticed_s, 0.5)
        figures["sent again"] = 1e3 * percentile(struck.sent_s, 0.5)
    faults = _faults(struck, noticed)
    if figures.get("beyond p50", 0.0) < 0:
        faults.append("the other server was quicker than in any control, which were disturbed")
    return Finding(figures, tuple(faults))


def _faults(struck: Struck, noticed: dict[str, float]) -> list[str]:
    faults = []
    running = len(struck.waits_s)
    if running < RUNNING_MIN:
        faults.append(f"{running} streams ran on the server that was struck")
    if struck.went_on < running:
        faults.append(f"only {struck.went_on} of {running} streams were broken and went on")
    if struck.load < SERVED_MIN:
        faults.append(f"received {struck.load:.0%} of the chunks due")
    if noticed["lost"] or noticed["doubled"] or noticed["failed"]:
        faults.append(f"not all answers were whole: {noticed}")
    return faults


async def _strike(
    asks: Sequence[Ask],
    readers: Sequence[Reader],
    number: signal.Signals,
    config: EngineConfig,
    after_s: float,
) -> Struck:
    struck = Struck()
    async with open_simulator_processes(2, PACE) as servers:
        fleet = [_endpoint(servers[0].url, "one", WEIGHT), _endpoint(servers[1].url, "other")]
        async with open_engine(*fleet, config=config) as engine, trio.open_nursery() as nursery:
            await engine.load(MODEL)
            for ask, reader in zip(asks, readers, strict=True):
                nursery.start_soon(read, engine, ask, reader)
                await trio.sleep(APART_S)
            while any(reader.chunks < CHUNKS_MIN for reader in readers):  # noqa: ASYNC110
                await trio.sleep(0.05)
            there = _readers_at(fleet[0].name, readers)
            struck.first_token_s = await _least_control(engine, there)
            struck.load = await _settle(readers)
            there = _readers_at(fleet[0].name, readers)
            for reader in there:
                reader.mark()
            began_ns = time.perf_counter_ns()
            os.kill(servers[0].pid, number)
            await trio.sleep(after_s)
            _note(struck, there, began_ns)
    return struck


def _note(struck: Struck, readers: Sequence[Reader], began_ns: int) -> None:
    """Note what became of the streams of the server that was struck."""
    struck.waits_s = [reader.waited_s(trio.current_time()) for reader in readers]
    for reader in readers:
        stream = reader.stream
        if stream is not None and stream.attempts and stream.timing.sent_ns > began_ns:
            struck.noticed_s.append((stream.attempts[0].ended_ns - began_ns) / 1e9)
            struck.sent_s.append((stream.timing.sent_ns - began_ns) / 1e9)


def _endpoint(url: str, tag: str, weight: float = 1.0) -> EndpointConfig:
    most = 2 * STREAMS
    return EndpointConfig(
        url, max_in_flight=most, num_parallel=most, tags=frozenset({tag}), weight=weight
    )


def _readers_at(name: str, readers: Sequence[Reader]) -> list[Reader]:
    return [reader for reader in readers if reader.is_running and reader.endpoint == name]


async def _least_control(engine: Engine, readers: Sequence[Reader]) -> float:
    """The least of a few controls."""
    times_s = []
    for _ in range(CONTROLS):
        times_s.append(await _control(engine, readers))
        await trio.sleep(BETWEEN_S)
    return min(times_s)


async def _control(engine: Engine, readers: Sequence[Reader]) -> float:
    """The other server's time to first token, when it is to go on with all of these at once."""
    times_s: list[float] = []

    async def first_token(reader: Reader) -> None:
        messages = [
            {"role": "user", "content": reader.question},
            {"role": "assistant", "content": reader.text},
        ]
        async with engine.stream_chat(MODEL, messages, tags={"other"}) as stream:
            await stream.__anext__()
            times_s.append((stream.timing.first_ns - stream.timing.sent_ns) / 1e9)

    async with trio.open_nursery() as nursery:
        for reader in readers:
            nursery.start_soon(first_token, reader)
    return percentile(times_s, 0.5)


async def _settle(readers: Sequence[Reader]) -> float:
    """Wait a moment; returns the share of the chunks due that came meanwhile."""
    await trio.sleep(SETTLE_S / 2)  # what the control held up comes first
    before, began_s = sum(reader.chunks for reader in readers), trio.current_time()
    await trio.sleep(SETTLE_S / 2)
    came = sum(reader.chunks for reader in readers) - before
    return came / ((trio.current_time() - began_s) * TOKENS_PER_S * len(readers))
