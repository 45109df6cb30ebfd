"""Readers of many streams at once, and the unbroken answers that they must have.

The text of a simulated server is a function of the model, the prompt and the position. So what an
untouched server of the same configuration answers is what each reader must have in the end, however
often its servers changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import trio

from triollama import Attempt, Engine, Outcome
from triollama_adapters.cli._readers import Reader, compare, follow
from triollama_adapters.simulator import SimulatorConfig, unbroken_answer

__all__ = [
    "MODEL",
    "answered_by",
    "attempts_of",
    "check_whole",
    "make_readers",
    "read_all",
    "struck",
    "wait_until",
]

MODEL = "llama3.2"


def make_readers(count: int, config: SimulatorConfig) -> list[Reader]:
    """So many readers, each with a question of its own and the unbroken answer to it."""
    questions = [f"Question {number}: what becomes of it?" for number in range(count)]
    return [Reader(question, _unbroken(config, question)) for question in questions]


def _unbroken(config: SimulatorConfig, question: str) -> str:
    messages = [{"role": "user", "content": question}]
    body = json.dumps({"model": MODEL, "messages": messages, "stream": False})
    text: str = unbroken_answer(config, "/api/chat", body.encode())["message"]["content"]
    return text


async def read_all(engine: Engine, readers: Sequence[Reader]) -> None:
    """Read all streams at once, chunk by chunk, to their end."""
    async with trio.open_nursery() as reading:
        for reader in readers:
            reading.start_soon(follow, reader, engine.stream_chat(MODEL, reader.question))


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
    assert verdict.is_clean, verdict
    assert [reader.text for reader in readers] == [reader.whole for reader in readers]
    assert all(reader.whole for reader in readers)


async def wait_until(is_so: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait for what has no event; fails if it does not come."""
    with trio.fail_after(limit_s):
        while not is_so():
            await trio.sleep(0.005)
