"""Readers of many streams at once, and the unbroken answers that they must have.

The text of a simulated server is a function of the model, the prompt and the position. So what an
untouched server of the same configuration answers is what each reader must have in the end, however
often its servers changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import trio

from triollama import Attempt, Engine, Outcome, TriollamaError, open_engine
from triollama_adapters.cli._readers import Reader, compare
from triollama_adapters.simulator import SimulatorConfig, open_fleet

__all__ = [
    "MODEL",
    "answered_by",
    "attempts_of",
    "check_whole",
    "make_readers",
    "read",
    "read_all",
    "struck",
    "wait_until",
]

MODEL = "llama3.2"
_UNTOUCHED = "http://untouched:11434"
_AT_ONCE = 256


async def make_readers(count: int, config: SimulatorConfig) -> list[Reader]:
    """So many readers, each with a question of its own and the unbroken answer to it."""
    quick = attrs.evolve(
        config,
        load_s=0.0,
        decode_tokens_per_s=1e5,
        prefill_tokens_per_s=1e6,
        num_parallel=_AT_ONCE,
        faults=(),
    )
    readers = [Reader(f"Question {number}: what becomes of it?", "") for number in range(count)]
    limit = trio.CapacityLimiter(_AT_ONCE)

    async def ask(reader: Reader) -> None:
        async with limit:
            reader.whole = (await engine.chat(MODEL, reader.question)).content

    async with open_fleet({_UNTOUCHED: quick}) as fleet:
        async with open_engine(_UNTOUCHED, transport=fleet.transport()) as engine:
            async with trio.open_nursery() as asking:
                for reader in readers:
                    asking.start_soon(ask, reader)
    return readers


async def read_all(engine: Engine, readers: Sequence[Reader]) -> None:
    """Read all streams at once, chunk by chunk, to their end."""
    async with trio.open_nursery() as reading:
        for reader in readers:
            reading.start_soon(read, engine, reader)


async def read(engine: Engine, reader: Reader) -> None:
    """Read one stream, chunk by chunk, to its end."""
    try:
        async with engine.stream_chat(MODEL, reader.question) as stream:
            reader.stream = stream
            async for chunk in stream:
                reader.take(chunk.content, trio.current_time())
    except TriollamaError as error:
        reader.error = f"{type(error).__name__}: {error}"
    else:
        reader.is_whole = True


def attempts_of(reader: Reader) -> Sequence[Attempt]:
    """The attempts that its stream took."""
    assert reader.stream is not None, "it was not read"
    return reader.stream.attempts


def struck(readers: Sequence[Reader], name: str) -> list[Reader]:
    """Those whose stream an endpoint broke."""
    return [
        reader
        for reader in readers
        if any(
            (attempt.endpoint, attempt.why is Outcome.DONE) == (name, False)
            for attempt in attempts_of(reader)
        )
    ]


def answered_by(readers: Sequence[Reader], name: str) -> list[Reader]:
    """Those whose answer an endpoint ended."""
    return [reader for reader in readers if reader.endpoint == name]


def check_whole(readers: Sequence[Reader]) -> None:
    """No stream failed, no character was lost, and none came twice."""
    assert [reader.error for reader in readers if reader.error] == []
    verdict = compare(readers)
    assert (verdict.lost, verdict.doubled) == (0, 0)
    assert verdict.whole == len(readers)
    assert [reader.text for reader in readers] == [reader.whole for reader in readers]
    assert all(reader.whole for reader in readers)


async def wait_until(is_so: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait for what has no event; fails if it does not come."""
    with trio.fail_after(limit_s):
        while not is_so():
            await trio.sleep(0.005)
