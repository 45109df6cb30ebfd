"""One row through the engine: asked again while that can help, to its one outcome.

The engine has tried other endpoints before it raises; what is asked again here are rows that nobody
could answer just then: the fleet was down, full, or broke an answer that cannot be gone on with.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from triollama import (
    AnswerTooLargeError,
    CallerError,
    ChatChunk,
    ChatResponse,
    Engine,
    EngineClosedError,
    EngineFaultError,
    GenerateChunk,
    GenerateResponse,
    Stream,
    TriollamaError,
)
from triollama.api import EmbedResponse
from triollama_adapters.batch.rows import Ask

__all__ = ["Answer", "Asked", "Asker", "can_help_again", "pause_s"]

Answer = ChatResponse | GenerateResponse | EmbedResponse
AnyStream = Stream[ChatChunk, ChatResponse] | Stream[GenerateChunk, GenerateResponse]

PAUSE_S: Final = 1.0
"""Before a row is asked the second time, at most; before each later time twice as long."""

PAUSE_S_MAX: Final = 60.0
"""A server that is restarted is back by then, or somebody must look after it."""

_NEVER_AGAIN = (CallerError, AnswerTooLargeError, EngineClosedError, EngineFaultError)


@attrs.frozen
class Asked:
    """What came of a row.

    Attributes:
        answer: the answer; None if there is none.
        error: why there is none.
        stream: the last stream, with its attempts and times; None where there was none.
        tries: how often the engine was asked.
    """

    answer: Answer | None
    error: TriollamaError | None
    stream: AnyStream | None
    tries: int


def can_help_again(error: TriollamaError) -> bool:
    """Whether the same request may be answered later: the fault is not in it, nor in us."""
    return not isinstance(error, _NEVER_AGAIN)


def pause_s(tries: int, draw: float) -> float:
    """How long to wait before asking again, with full jitter.

    Args:
        tries: how often the row was asked, from 1.
        draw: a random number in [0, 1).
    """
    return draw * min(PAUSE_S_MAX, PAUSE_S * 2.0 ** min(tries - 1, 16))


@attrs.frozen
class Asker:
    """Asks rows.

    Attributes:
        engine: who answers.
        tries_max: how often one row is given to the engine.
        priority: of all requests, see `Engine.chat`; below 0 lets interactive ones go first.
        draw: gives random numbers in [0, 1).
    """

    engine: Engine
    tries_max: int = 5
    priority: int = -5
    draw: Callable[[], float] = random.random

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row. If cancelled, nobody goes on answering it."""
        tries = 0
        while True:
            tries += 1
            streams: list[AnyStream] = []
            try:
                answer = await self._once(ask, streams)
            except TriollamaError as error:
                if tries >= self.tries_max or not can_help_again(error):
                    return Asked(None, error, _only(streams), tries)
            else:
                return Asked(answer, None, _only(streams), tries)
            await trio.sleep(pause_s(tries, self.draw()))

    async def _once(self, ask: Ask, streams: list[AnyStream]) -> Answer:
        """One request; notes its stream, also for when it fails."""
        terms: dict[str, Any] = {**ask.arguments, "priority": self.priority}
        if ask.kind == "embed":
            return await self.engine.embed(**terms)
        if ask.kind == "chat":
            async with self.engine.stream_chat(**terms) as chat:
                streams.append(chat)
                return await chat.collect()
        async with self.engine.stream_generate(**terms) as completion:
            streams.append(completion)
            return await completion.collect()


def _only(streams: list[AnyStream]) -> AnyStream | None:
    return streams[0] if streams else None
