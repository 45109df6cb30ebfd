"""This engine, whole: `open_engine`, its pool and its workers, one trio task per reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import trio

from benchmarks.clients import batch_job, trio_moments
from benchmarks.clients.moments import Take
from benchmarks.clients.trio_tasks import run_readers, take_window
from benchmarks.measure import Measurement, Meter, Tally, leave
from benchmarks.plan import MODEL, PROMPT, Plan
from triollama import ChatChunk, ChatResponse, EndpointConfig, Engine, Stream, open_engine

IN_FLIGHT_MAX = 20_000
"""More than any row opens, so that no row measures the line of those who wait."""

_Streams = list[Stream[ChatChunk, ChatResponse]]


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one reader task each that is woken per chunk."""
    return trio.run(_hold_streams, plan, _iterate, _taken)


def collect(plan: Plan) -> Measurement:
    """Hold streams open, one reader task each that is woken once, at the end."""
    return trio.run(_hold_streams, plan, _collect, _arrived)


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, and count the answers."""
    return trio.run(_ask_many, plan)


def delays(plan: Plan) -> Measurement:
    """Hold stamped streams open and note how long after its sending each chunk is there."""
    return trio.run(_in_engine, plan, trio_moments.delays)


def opening(plan: Plan) -> Measurement:
    """Open all streams at once; the window ends with the first chunk of the last one."""
    return trio.run(_in_engine, plan, trio_moments.opening)


def cancelling(plan: Plan) -> Measurement:
    """Cancel all streams at once, while they flow, and look at what is left of them."""
    return trio.run(_cancel_streams, plan)


def batch(plan: Plan) -> Measurement:
    """Answer the rows of a file into another one, each of them once, whatever dies."""
    return trio.run(batch_job.measure, plan)


async def _hold_streams(
    plan: Plan,
    reader: Callable[[Engine, _Streams, Tally], Awaitable[None]],
    count: Callable[[_Streams, Tally], int],
) -> NoReturn:
    streams: _Streams = []
    tally, meter = Tally(), Meter()
    async with open_engine(_endpoint(plan)) as engine, trio.open_nursery() as nursery:
        meter.note_memory()
        for _ in range(plan.streams):
            nursery.start_soon(reader, engine, streams, tally)
        # A stream that collects tells nobody that it began: it must be asked.
        window = take_window(
            plan, meter, lambda: _all_flow(streams, plan.streams), lambda: count(streams, tally)
        )
        leave(await window)


def _endpoint(plan: Plan) -> EndpointConfig:
    return EndpointConfig(plan.url, max_in_flight=IN_FLIGHT_MAX, num_parallel=IN_FLIGHT_MAX)


def _all_flow(streams: _Streams, wanted: int) -> bool:
    return len(streams) == wanted and all(stream.timing.first_ns for stream in streams)


def _taken(_streams: _Streams, tally: Tally) -> int:
    return tally.count


def _arrived(streams: _Streams, _tally: Tally) -> int:
    # Asked of the streams: a reader that collects knows nothing before the end.
    return sum(stream.chunks for stream in streams)


async def _iterate(engine: Engine, streams: _Streams, tally: Tally) -> None:
    async with engine.stream_chat(MODEL, PROMPT) as stream:
        streams.append(stream)
        async for chunk in stream:
            tally.characters += len(chunk.content)
            tally.count += 1


async def _collect(engine: Engine, streams: _Streams, tally: Tally) -> None:
    async with engine.stream_chat(MODEL, PROMPT) as stream:
        streams.append(stream)
        tally.characters += len((await stream.collect()).content)


async def _ask_many(plan: Plan) -> Measurement:
    async with open_engine(_endpoint(plan)) as engine:
        return await run_readers(plan, plan.in_flight, partial(_ask, engine))


async def _ask(engine: Engine, tally: Tally) -> None:
    tally.open += 1
    while True:
        answer = await engine.chat(MODEL, PROMPT)
        tally.characters += len(answer.content)
        tally.count += 1


async def _in_engine(
    plan: Plan, task: Callable[[Plan, trio_moments.Reader], Awaitable[Measurement]]
) -> Measurement:
    async with open_engine(_endpoint(plan)) as engine:
        return await task(plan, partial(_read_into, engine))


async def _cancel_streams(plan: Plan) -> Measurement:
    async with open_engine(_endpoint(plan)) as engine:
        reader = partial(_read_into, engine)
        return await trio_moments.cancelling(plan, reader, partial(_count_slots, engine))


def _count_slots(engine: Engine) -> int:
    now = engine.statistics()
    return now.waiting + now.running + sum(each.in_flight for each in now.endpoints)


async def _read_into(engine: Engine, take: Take) -> None:
    async with engine.stream_chat(MODEL, PROMPT) as stream:
        async for chunk in stream:
            take(chunk.content)
