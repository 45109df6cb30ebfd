"""One row through the engine: asked again while that can help, to its one outcome.

The engine has tried other endpoints before it raises; what is asked again here are rows that nobody
could answer just then. There are three kinds of that:

* Nobody could be reached, or took the request: the row waits at the job's `Gate` until somebody
  answers, however long that takes, and loses no try.
* The engine's own line is full: the row waits as long as it is told to, and loses no try.
* Anything else, such as a server that fails: that is one try of `Asker.tries_max`, and a pause.

A row that makes servers die is set aside; see `blame`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, Protocol

import trio

from triollama import (
    AnswerTooLargeError,
    CallerError,
    ChatResponse,
    Engine,
    EngineClosedError,
    EngineFaultError,
    GenerateResponse,
    OverloadError,
    StreamCancelledError,
    TriollamaError,
)
from triollama_adapters.batch.rows import Answer, Ask
from triollama_adapters.batch.work.course import AnyStream, Asked, Course
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.items import model_key
from triollama_adapters.batch.work.outage import is_out_of_reach
from triollama_adapters.batch.work.servers import EngineServers
from triollama_adapters.batch.work.terms import check_tries

__all__ = ["Asked", "Asker", "Asks", "can_help_again", "pause_s"]

PAUSE_S: Final = 1.0
"""Before a row is asked the second time, at most; before each later time twice as long."""

PAUSE_S_MAX: Final = 60.0
"""A server that is restarted is back by then, or somebody must look after it."""

KEEP_ALIVE: Final = "30m"
"""So long a model stays loaded after its last row: a pause of the job does not load it again, and
after its end it is not kept for ever."""

_NEVER_AGAIN = (CallerError, AnswerTooLargeError, EngineClosedError, EngineFaultError)


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


class Asks(Protocol):
    """Asks rows."""

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row, to its outcome."""


class Asker:
    """Asks rows of an engine.

    Args:
        engine: who answers.
        tries_max: how often one row is given to the engine, without the times when nobody could be
            reached.
        priority: of all requests, see `Engine.chat`; below 0 lets interactive ones go first.
        draw: gives random numbers in [0, 1).
        gate: where rows wait; None makes one. A job that is to know of outages has the same one.
        keep_alive: how long a model stays loaded after a request, for rows that do not say; None
            leaves it to the server.

    Raises:
        ChoiceError: `tries_max` is less than 1.

    Attributes:
        gate: where its rows wait.
        servers: who answers them.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        tries_max: int = 5,
        priority: int = -5,
        draw: Callable[[], float] = random.random,
        gate: Gate | None = None,
        keep_alive: str | None = KEEP_ALIVE,
    ) -> None:
        check_tries(tries_max)
        self.gate = gate or Gate(draw=draw)
        self.servers = EngineServers(engine)
        self._engine = engine
        self._tries_max = tries_max
        self._draw = draw
        self._shared: dict[str, Any] = {} if keep_alive is None else {"keep_alive": keep_alive}
        self._priority = priority
        self._streams: dict[AnyStream, Course] = {}
        self._alone = trio.Lock()

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row. If cancelled, nobody goes on answering it.

        Raises:
            FleetDownError: nobody has answered for longer than the gate waits.
            RowLeftError: the job stops, while the row waited to be asked again.
        """
        course = Course(model_key(ask.model))
        while True:
            course.begin_try()
            try:
                answer = await self._in_turn(ask, course)
            except TriollamaError as error:
                failure = error
            else:
                self.gate.answered(course.model)
                return course.told(answer, None)
            course.note(failure)
            if course.blame.is_poison(len(self._engine.endpoints)):
                failure = course.blame.verdict()
            elif await self._may_go_on(course, failure):
                continue
            return course.told(None, failure)

    def watch(self) -> None:
        """Stop the rows that may make servers die while the engine goes on with them elsewhere.

        To be called now and then, say each second. Never waits.
        """
        fleet = len(self._engine.endpoints)
        for stream, course in list(self._streams.items()):
            if attempts := stream.attempts:
                is_alone = course.is_alone
                blame = course.blame.with_running(attempts, is_alone=is_alone)
                if blame.is_poison(fleet) or (blame.is_suspect and not is_alone):
                    stream.cancel()

    # ---- inside

    async def _may_go_on(self, course: Course, failure: TriollamaError) -> bool:
        """Wait until the row may be asked again; False if it may not."""
        if isinstance(failure, OverloadError):
            course.free += 1
            wait_s = failure.retry_after_s * (0.5 + self._draw())
            await self.gate.pause(wait_s, course.model)
            return True
        if isinstance(failure, StreamCancelledError):  # by `watch`: it is asked alone now
            course.free += 1
            return True
        if is_out_of_reach(failure):
            if await self.gate.wait_back(course.model, course.asked_s):
                course.free += 1
                return True
            course.free += course.take_stray()
        else:
            self.gate.answered(course.model)
        counted = course.tries - course.free
        if counted >= self._tries_max or not can_help_again(failure):
            return False
        await self.gate.pause(pause_s(max(counted, 1), self._draw()), course.model)
        return True

    async def _in_turn(self, ask: Ask, course: Course) -> Answer:
        """One request; of those that may make servers die, one at a time."""
        if not course.blame.is_suspect:
            return await self._at_place(ask, course)
        with self.gate.counted(course.model):
            await self._alone.acquire()
        try:
            self.gate.check()
            course.is_alone = True
            return await self._at_place(ask, course)
        finally:
            self._alone.release()

    async def _at_place(self, ask: Ask, course: Course) -> Answer:
        """One request, when there is a place for it."""
        async with self.gate.place(course.model):
            course.asked_s = trio.current_time()
            return await self._once(ask, course)

    async def _once(self, ask: Ask, course: Course) -> Answer:
        """One request."""
        terms: dict[str, Any] = {**self._shared, **ask.arguments, "priority": self._priority}
        if ask.kind == "embed":
            return await self._engine.embed(**terms)
        if ask.kind == "chat":
            async with self._engine.stream_chat(**terms) as chat:
                return await self._collect(chat, course)
        async with self._engine.stream_generate(**terms) as completion:
            return await self._collect(completion, course)

    async def _collect(self, stream: AnyStream, course: Course) -> ChatResponse | GenerateResponse:
        """The answer of a stream, which is noted, also for when it fails."""
        course.stream = stream
        self._streams[stream] = course
        try:
            return await stream.collect()
        finally:
            del self._streams[stream]
