"""One caller: makes its request in its way, and keeps all that it was given.

Owns what reached the caller, and the one outcome. It judges nothing: `judge` does.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import trio
from tests.simulation.asks import Ask, Reading
from tests.simulation.truth import call_text

from triollama import (
    Attempt,
    Engine,
    StreamCancelledError,
    StreamRestartedError,
    TriollamaError,
)

__all__ = ["Reader"]


class Reader:
    """One request and what came of it.

    Args:
        ask: the request.

    Attributes:
        ask: the request.
        outcome: ``done``; ``cancelled`` (by the reader itself), ``left`` (the block, before the
            end), ``gone`` (cancelled from outside), or ``failed``; empty while it goes on.
        error: why it failed.
        content: the text that was iterated.
        thinking: the thinking that was iterated.
        calls: the tool calls that were iterated.
        given: the whole answer, where that was asked for.
        partial: the answer as far as it had arrived when the stream ended.
        attempts: of the stream.
        usage: of the stream.
        restarts: how often the answer began anew.
        ended_s: when it had its outcome, on trio's clock.
    """

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.outcome = ""
        self.error: TriollamaError | None = None
        self.content = ""
        self.thinking = ""
        self.calls: list[str] = []
        self.given: Any = None
        self.partial: Any = None
        self.attempts: tuple[Attempt, ...] = ()
        self.usage: Any = None
        self.restarts = 0
        self.ended_s = math.inf

    async def run(self, engine: Engine) -> None:
        """Wait until it is time, ask, and read."""
        ask = self.ask
        await trio.sleep_until(ask.at_s)
        patience_s = math.inf if ask.patience_s is None else ask.patience_s
        outcome = "gone"
        with trio.move_on_after(patience_s):
            outcome = await self._ask(engine)
        assert not self.outcome, f"request {ask.number} has two outcomes"
        self.outcome = outcome
        self.ended_s = trio.current_time()

    async def _ask(self, engine: Engine) -> str:
        way = self._read if self.ask.reading is not Reading.WHOLE else self._whole
        try:
            return await way(engine)
        except StreamCancelledError:
            return "cancelled"
        except TriollamaError as error:
            self.error = error
            return "failed"

    async def _whole(self, engine: Engine) -> str:
        """Wait for the whole answer, without a stream."""
        methods = {"chat": engine.chat, "generate": engine.generate, "embed": engine.embed}
        self.given = await self._call(methods[self.ask.route])
        return "done"

    async def _read(self, engine: Engine) -> str:
        """Read a stream in this reader's way."""
        is_chat = self.ask.route == "chat"
        opening = self._call(engine.stream_chat if is_chat else engine.stream_generate)
        async with opening as stream:
            try:
                return await self._iterate(stream)
            finally:
                self.partial = stream.partial
                self.attempts = stream.attempts
                self.usage = stream.usage

    async def _iterate(self, stream: Any) -> str:
        ask, taken = self.ask, 0
        while True:
            try:
                chunk = await anext(stream)
            except StopAsyncIteration:
                return "done"
            except StreamRestartedError:
                self._forget()
                continue
            self.take(chunk)
            taken += 1
            if ask.reading is Reading.SLOWLY:
                await trio.sleep(ask.rest_s)
            if taken == ask.chunks and (outcome := await self._turn(stream)):
                return outcome

    async def _turn(self, stream: Any) -> str:
        """What this reader does after some chunks; returns its outcome, if that is one."""
        match self.ask.reading:
            case Reading.PAUSED:
                stream.pause()
                await trio.sleep(10 * self.ask.rest_s)
                stream.resume()
            case Reading.CANCELLED:
                stream.cancel()
            case Reading.COLLECTED:
                self.given = await stream.collect()
                return "done"
            case Reading.LEFT:
                return "left"
        return ""

    def take(self, chunk: Any) -> None:
        """Keep one chunk."""
        self.content += chunk.content
        self.thinking += chunk.thinking or ""
        for call in chunk.tool_calls:
            self.calls.append(call_text(call.id, call.function.name, call.function.arguments))

    def _forget(self) -> None:
        """The answer begins anew: what was read is void."""
        assert self.ask.on_break == "restart", f"request {self.ask.number} wants no new beginning"
        self.content = self.thinking = ""
        self.calls.clear()
        self.restarts += 1

    def _call(self, method: Any) -> Any:
        ask = self.ask
        make = partial(method, ask.model, ask.asked, deadline_s=ask.deadline_s, **ask.fields)
        make = partial(make, priority=ask.priority)
        if ask.route != "embed":
            make = partial(make, on_break=ask.on_break)
        return make(caller=ask.caller)
