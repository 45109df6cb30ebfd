"""Chats in which the model calls Python functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from triollama._engine.base import Base
from triollama._opening import Opening
from triollama._requests import CHAT, ChatFields, FreeAnswerFields, Urgency, chat_call
from triollama.api import ChatChunk, ChatResponse, FormatInput, MessagesInput

if TYPE_CHECKING:
    from triollama.tools import Rounds, ToolRun

_RULES = frozenset(
    ("rounds_max", "calls_max", "concurrency_max", "call_s", "result_bytes_max", "on_error", "tell")
)


class ToolFields(FreeAnswerFields, total=False):
    """The optional fields of a run of tools: its limits (see `ToolRules`), and those of a chat."""

    format: FormatInput
    rounds_max: int
    calls_max: int
    concurrency_max: int
    call_s: float
    result_bytes_max: int
    on_error: Literal["tell", "raise"]
    tell: Literal["type", "message"]


class Tooling(Base):
    """The part of `Engine` that runs tools."""

    def run_tools(
        self,
        model: str,
        messages: MessagesInput,
        *,
        tools: Sequence[Callable[..., Any]],
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: Literal["continue", "restart", "raise"] = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        **fields: Unpack[ToolFields],
    ) -> ToolRun:
        """Chat, make the calls of tools that the model asks for, tell it the results, and so on.

        Use it in ``async with``, and iterate: each step is a `ToolEvent`. The run ends when the
        model answers without calling a tool; ``run.response`` is that answer and ``run.messages``
        the whole conversation. Leaving the block stops answer and calls.

        Calls of one answer run side by side: async functions as tasks, others in threads.

        Args:
            model: the model's name.
            messages: as in `stream_chat`; not empty.
            tools: typed functions, or `Tool`s made of them by `tool`.
            deadline_s: seconds for the whole run; by default each answer has
                `EngineConfig.total_s`, and the run no limit but those of its rounds.
            priority: as in `stream_chat`.
            on_break: as in `stream_chat`; a new beginning is told by `ToolAnswerRestarted`.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.
            fields: the limits of the run, with their defaults: see `ToolRules`; and the fields of
                `ChatRequest`.

        Raises:
            SchemaError: a parameter of a function cannot be said as a JSON schema.
            InvalidRequestError: the tools or a limit make no sense. What fails later is raised
                where the run is iterated.
        """
        from triollama.tools import ToolRun  # noqa: PLC0415 - only who uses tools waits for it

        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        return ToolRun(self._rounds(model, messages, tools, urgency, fields))

    async def chat_with_tools(
        self,
        model: str,
        messages: MessagesInput,
        *,
        tools: Sequence[Callable[..., Any]],
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: Literal["continue", "restart", "raise"] = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        **fields: Unpack[ToolFields],
    ) -> ChatResponse:
        """Do what `run_tools` does, and wait for the model's last answer.

        If cancelled, the server stops generating and the calls are cancelled.

        Args: as in `run_tools`.

        Raises:
            ToolError: the rounds were used up; or a call gave no result, with ``on_error="raise"``.
            TriollamaError: see the class.
        """
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        return await self._rounds(model, messages, tools, urgency, fields).run(None)

    def _rounds(
        self,
        model: str,
        messages: MessagesInput,
        tools: Sequence[Callable[..., Any]],
        urgency: Urgency,
        fields: Mapping[str, Any],
    ) -> Rounds:
        """The rounds, ready to run."""
        from triollama.tools import Rounds, ToolRules, messages_of, tools_of  # noqa: PLC0415

        urgency.terms(math.inf)  # what makes no sense is said at once
        rules = ToolRules(**{name: value for name, value in fields.items() if name in _RULES})
        found = tools_of(tools)
        request = {name: value for name, value in fields.items() if name not in _RULES}
        request["tools"] = [each.definition for each in found.values()]

        def ask(
            messages: Sequence[Any], deadline_s: float | None
        ) -> Opening[ChatChunk, ChatResponse]:
            prepare = partial(chat_call, model, messages, cast("ChatFields", request))
            terms = Urgency(
                deadline_s, urgency.priority, urgency.on_break, urgency.caller, urgency.tags
            )
            return self._runtime.open_stream(CHAT, prepare, terms)

        return Rounds(ask, found, rules, urgency.deadline_s, messages_of(messages))
