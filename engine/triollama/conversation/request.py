"""`Request`: a chat that is put together step by step.

It is sugar: each end gives what the engine's own method gives, for the same arguments, and refuses
what that refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, cast, overload

import attrs

from triollama._errors import InvalidRequestError
from triollama.api import (
    ChatChunk,
    ChatResponse,
    FormatInput,
    ImageInput,
    KeepAliveInput,
    Message,
    ThinkInput,
)
from triollama.api.options import options_to_json
from triollama.conversation.asking import Chats
from triollama.structured import FormatOf, StructuredStream

if TYPE_CHECKING:
    from triollama.actors.streams import Stream
    from triollama.tools import ToolRun

__all__ = ["FormedRequest", "Request"]

T = TypeVar("T")


@attrs.frozen(repr=False, eq=False)
class _Steps:
    """What all requests have in common. Each step gives a new request; this one stays as it is."""

    _engine: Chats
    _model: str
    _messages: tuple[Any, ...] = ()
    _fields: Mapping[str, Any] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        steps = ", ".join(sorted(self._fields))
        also = f"; {steps}" if steps else ""
        return f"<{type(self).__name__} to {self._model!r}: {len(self._messages)} messages{also}>"

    # ---- what is said

    def system(self, content: str) -> Self:
        """A system prompt."""
        return self.message({"role": "system", "content": content})

    def user(self, content: str, *, images: Sequence[ImageInput] = ()) -> Self:
        """What a user says.

        Args:
            content: the text.
            images: bytes, base64 texts, paths, data URIs or open files.
        """
        also = {"images": images} if images else {}
        return self.message({"role": "user", "content": content, **also})

    def assistant(self, content: str) -> Self:
        """What the model said, or is to be taken to have said."""
        return self.message({"role": "assistant", "content": content})

    def tool_result(self, name: str, content: str, *, call_id: str | None = None) -> Self:
        """What a tool gave.

        Args:
            name: the tool's.
            content: its result as text.
            call_id: the id of the call that this answers, if it has one.
        """
        also = {"tool_call_id": call_id} if call_id else {}
        return self.message({"role": "tool", "content": content, "tool_name": name, **also})

    def message(self, *messages: Message | Mapping[str, Any] | Any) -> Self:
        """Messages in any form that `Engine.chat` takes, such as ``answer.message``."""
        return attrs.evolve(self, messages=(*self._messages, *messages))

    # ---- how it is answered

    def option(self, **options: object) -> Self:
        """Options of sampling and of the runner, by name, beside those of earlier steps.

        Raises:
            InvalidRequestError: a value makes no sense.
        """
        known = {**self._fields.get("options", {}), **(options_to_json(options) or {})}
        return self._with(options=known)

    def tools(self, *tools: Callable[..., Any] | Mapping[str, Any]) -> Self:
        """Tools that the model may call, beside those of earlier steps: functions or mappings."""
        return self._with(tools=[*self._fields.get("tools", ()), *tools])

    def think(self, think: ThinkInput = True) -> Self:  # noqa: FBT002 - it reads as a sentence
        """Whether, or how hard, the model is to think."""
        return self._with(think=think)

    def keep_alive(self, keep_alive: KeepAliveInput) -> Self:
        """How long the model stays loaded: seconds, a Go duration, or a timedelta."""
        return self._with(keep_alive=keep_alive)

    def truncate(self, truncate: bool) -> Self:  # noqa: FBT001 - the field is a flag
        """Whether the server cuts a conversation that is longer than the context."""
        return self._with(truncate=truncate)

    def shift(self, shift: bool) -> Self:  # noqa: FBT001 - the field is a flag
        """Whether the server drops old tokens when the context is full."""
        return self._with(shift=shift)

    def logprobs(self, top: int | None = None) -> Self:
        """Give the log probability of each token, and of so many others (0 to 20) in its place."""
        return self._with(logprobs=True, top_logprobs=top)

    # ---- how it is treated

    def deadline(self, deadline_s: float) -> Self:
        """Seconds in which the answer must be whole."""
        return self._with(deadline_s=deadline_s)

    def priority(self, priority: int) -> Self:
        """From -10 to 10; higher goes first in line."""
        return self._with(priority=priority)

    def caller(self, caller: str) -> Self:
        """On whose behalf."""
        return self._with(caller=caller)

    def tags(self, *tags: str) -> Self:
        """Only endpoints that have all of these."""
        return self._with(tags=tags)

    def on_break(self, rule: Literal["continue", "restart", "raise"]) -> Self:
        """What to do when the answer breaks; see `Engine.stream_chat`."""
        return self._with(on_break=rule)

    def on_chunk(self, told: Callable[[ChatChunk], object]) -> Self:
        """Who is told every chunk as it arrives; see `Engine.stream_chat`."""
        return self._with(on_chunk=told)

    def _with(self, **fields: Any) -> Self:
        return attrs.evolve(self, fields={**self._fields, **fields})

    def _said(self) -> list[Any]:
        if not self._messages:
            raise InvalidRequestError('the request has no message: add one with .user("…")')
        return list(self._messages)


class Request(_Steps):
    """A chat that is put together step by step. Made by `Engine.request`.

    It is immutable: each step gives a new request, and one may be the beginning of many. What makes
    no sense is refused at its end (``stream``, ``send``, ``run_tools``), all of it at once.
    """

    @overload
    def format(self, form: type[T] | FormatOf[T]) -> FormedRequest[T]: ...

    @overload
    def format(self, form: FormatInput) -> Request: ...

    def format(self, form: Any) -> Any:
        """What the answer is: ``"json"``, a JSON schema as a mapping, or a class.

        With a class or a `JsonSchema` the ends give an object.
        """
        if form is None or isinstance(form, str | Mapping):
            return self._with(format=form)
        return FormedRequest(
            self._engine, self._model, self._messages, {**self._fields, "format": form}
        )

    def stream(self) -> AbstractAsyncContextManager[Stream[ChatChunk, ChatResponse]]:
        """The answer as it comes, in ``async with``; see `Engine.stream_chat`.

        Raises:
            InvalidRequestError: there is no message; what else is wrong is told on entering the
                block.
        """
        opening = self._engine.stream_chat(self._model, self._said(), **self._fields)
        return cast("AbstractAsyncContextManager[Stream[ChatChunk, ChatResponse]]", opening)

    async def send(self) -> ChatResponse:
        """The whole answer; see `Engine.chat`. Tools are told to the model, and not called.

        Raises:
            TriollamaError: see the class.
        """
        answer = await self._engine.chat(self._model, self._said(), **self._fields)
        return cast("ChatResponse", answer)

    def run_tools(self, **rules: Any) -> ToolRun:
        """The answers and the calls of tools between them, in ``async with``.

        Args:
            rules: ``rounds_max``, ``call_s``, … as in `Engine.run_tools`.

        Raises:
            InvalidRequestError: there is no message, no function among the tools, or a field that
                goes with no run of tools.
        """
        fields = {**self._fields, **rules}
        if not fields.get("tools"):
            raise InvalidRequestError("the request has no tools: add functions with .tools(…)")
        if fields.pop("on_chunk", None) is not None:
            raise InvalidRequestError("on_chunk does not go with run_tools: its events have chunks")
        return cast("ToolRun", self._engine.run_tools(self._model, self._said(), **fields))


class FormedRequest(_Steps, Generic[T]):
    """A `Request` whose answer is an object of a class, or JSON that a schema allows."""

    def retries(self, retries_max: int) -> Self:
        """How often an answer that does not fit is asked for again (by default once)."""
        return self._with(format_retries_max=retries_max)

    def stream(
        self,
    ) -> AbstractAsyncContextManager[StructuredStream[ChatChunk, ChatResponse, T]]:
        """The answer as it comes, in parts and whole, in ``async with``; it is asked for once.

        Raises: as `Request.stream`.
        """
        fields = {name: self._fields[name] for name in self._fields if name != _RETRIES}
        opening = self._engine.stream_chat(self._model, self._said(), **fields)
        return cast(
            "AbstractAsyncContextManager[StructuredStream[ChatChunk, ChatResponse, T]]", opening
        )

    async def send(self) -> T:
        """The object.

        Raises:
            StructuredOutputError: the last answer does not fit.
            TriollamaError: see the class.
        """
        return cast("T", await self._engine.chat(self._model, self._said(), **self._fields))


_RETRIES = "format_retries_max"
