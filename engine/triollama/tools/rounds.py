"""The rounds of a run: ask the model, make the calls of its answer, tell it the results.

Owns the messages as they grow. Whoever runs it owns the task.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import attrs
import trio

from triollama._errors import DeadlineExceededError, InvalidRequestError, StreamRestartedError
from triollama.api import ChatChunk, ChatResponse, Message, MessagesInput, ToolCall
from triollama.tools.calls import perform
from triollama.tools.errors import ToolCallError, ToolRefusedError, ToolRoundsError
from triollama.tools.events import (
    ToolAnswerChunk,
    ToolAnswerRestarted,
    ToolCallBegan,
    ToolCallEnded,
    ToolEvent,
    ToolRoundBegan,
    ToolRoundEnded,
    ToolRunEnded,
)
from triollama.tools.rules import ToolRules
from triollama.tools.tool import Tool

__all__ = ["AnswerStream", "Ask", "Rounds", "interrupt_of", "messages_of"]

_LEFT_S_MIN: Final = 1e-3
"""A request's deadline is above 0."""

Emit = Callable[[ToolEvent], Awaitable[object]]


class AnswerStream(Protocol):
    """One answer as it comes: a `Stream`."""

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        """Its chunks."""

    async def collect(self) -> ChatResponse:
        """The whole answer."""


class Ask(Protocol):
    """Opens the model's answer to messages."""

    def __call__(
        self, messages: Sequence[Any], deadline_s: float | None
    ) -> AbstractAsyncContextManager[AnswerStream]:
        """The answer, in ``async with``."""


@attrs.define
class Rounds:
    """One run of tools.

    Attributes:
        ask: asks the model.
        tools: by name.
        rules: the limits.
        deadline_s: seconds for the whole run, or None.
        messages: those given, and what was added to them.
        response: the last answer; None before the first.
        number: rounds that have begun.
    """

    ask: Ask
    tools: Mapping[str, Tool[..., Any]]
    rules: ToolRules
    deadline_s: float | None
    messages: list[Any]
    response: ChatResponse | None = None
    number: int = 0

    async def run(self, emit: Emit | None) -> ChatResponse:
        """Go on until the model answers without calling a tool.

        Args:
            emit: is told each step, chunks included; None if nobody listens.

        Raises:
            ToolRoundsError: it has called tools in each of its rounds.
            ToolCallError: a call gave no result, and the rules say to raise.
            DeadlineExceededError: the deadline of the run passed.
            TriollamaError: an answer failed.
        """
        limit_s = math.inf if self.deadline_s is None else self.deadline_s
        with trio.move_on_after(limit_s) as scope:
            return await self._run(emit or _nobody, scope, is_heard=emit is not None)
        raise DeadlineExceededError("the rounds of tools were not done", limit_s=limit_s)

    async def _run(self, emit: Emit, scope: trio.CancelScope, *, is_heard: bool) -> ChatResponse:
        while True:
            self.number += 1
            await emit(ToolRoundBegan(self.number))
            left_s = await _left_s(scope)
            async with self.ask(self.messages, left_s) as stream:
                if is_heard:
                    await self._tell_chunks(stream, emit)
                self.response = response = await stream.collect()
            self.messages.append(response.message)
            if response.tool_calls:
                if self.number >= self.rules.rounds_max:
                    raise ToolRoundsError(
                        rounds_max=self.rules.rounds_max, messages=self.messages, response=response
                    )
                self.messages += await self._make_calls(response.tool_calls, emit)
            await emit(ToolRoundEnded(self.number, response))
            if not response.tool_calls:
                await emit(ToolRunEnded(self.number, response))
                return response

    async def _tell_chunks(self, stream: AnswerStream, emit: Emit) -> None:
        chunks = aiter(stream)
        while True:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return
            except StreamRestartedError:
                await emit(ToolAnswerRestarted(self.number))
            else:
                await emit(ToolAnswerChunk(self.number, chunk))

    async def _make_calls(self, calls: Sequence[ToolCall], emit: Emit) -> list[Message]:
        """Make the calls of one answer, side by side; their results stand in the answer's order."""
        results: list[Message | None] = [None] * len(calls)
        failures: list[ToolCallError] = []
        places = trio.Semaphore(int(self.rules.concurrency_max))

        async def make(at: int, call: ToolCall) -> None:
            async with places:
                ended = await self._make_call(at, call, emit)
            results[at] = Message(
                role="tool",
                content=ended.content,
                tool_name=call.function.name,
                tool_call_id=call.id or None,
            )
            await emit(ended)
            if ended.error is not None and self.rules.on_error == "raise":
                failures.append(ended.error)
                nursery.cancel_scope.cancel()

        try:
            async with trio.open_nursery() as nursery:
                for at, call in enumerate(calls):
                    nursery.start_soon(make, at, call)
        except BaseExceptionGroup as group:
            raise interrupt_of(group) or group from None
        if failures:
            raise failures[0]
        return [result for result in results if result is not None]

    async def _make_call(self, at: int, call: ToolCall, emit: Emit) -> ToolCallEnded:
        """Make one call, and say how it ended."""
        await emit(ToolCallBegan(self.number, call))
        began_s = trio.current_time()
        try:
            if at >= self.rules.calls_max:
                limit = f"more than {self.rules.calls_max} calls in one answer; it was not made"
                raise ToolRefusedError(limit, tool=call.function.name, call_id=call.id)
            result, content = await perform(self.tools, call, self.rules)
        except ToolCallError as error:
            took_s = trio.current_time() - began_s
            return ToolCallEnded(
                self.number, call, took_s, content=f"Error: {error.told}", error=error
            )
        return ToolCallEnded(self.number, call, trio.current_time() - began_s, content, result)


def messages_of(messages: MessagesInput) -> list[Any]:
    """Messages as a list that can grow.

    Raises:
        InvalidRequestError: there is nothing to answer, or it is no messages.
    """
    if not messages:
        raise InvalidRequestError("messages must not be empty where tools are to be run")
    if isinstance(messages, str):
        return [Message(role="user", content=messages)]
    if not isinstance(messages, list | tuple):
        kind = type(messages).__name__
        raise InvalidRequestError(f"messages must be a str or a list of messages, not {kind}")
    return list(messages)


def interrupt_of(group: BaseExceptionGroup[Any]) -> BaseException | None:
    """The Ctrl-C or the exit in a group, which is for the program, by itself; None without any."""
    found: BaseException | None = group.subgroup((KeyboardInterrupt, SystemExit))
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


async def _left_s(scope: trio.CancelScope) -> float | None:
    """The seconds until a deadline; cancelled if there are none."""
    if scope.deadline == math.inf:
        return None
    await trio.lowlevel.checkpoint()  # one that has passed while a tool kept the loop busy
    return max(scope.deadline - trio.current_time(), _LEFT_S_MIN)


async def _nobody(event: ToolEvent) -> None:
    """Tell nobody."""
