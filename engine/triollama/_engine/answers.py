"""What models answer: chats, completions, vectors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, cast, overload

from triollama._engine.base import Base
from triollama._engine.fields import (
    BreakRule,
    FormedChat,
    FormedGenerate,
    PlainChat,
    PlainGenerate,
)
from triollama._opening import Opening
from triollama._requests import (
    CHAT,
    GENERATE,
    ChatFields,
    GenerateFields,
    Urgency,
    chat_call,
    document_call,
    generate_call,
)
from triollama.api import (
    ChatChunk,
    ChatResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateChunk,
    GenerateResponse,
    KeepAliveInput,
    MessagesInput,
    OptionsInput,
    decode_embed,
)

if TYPE_CHECKING:
    from triollama.structured import FormatOf, StructuredStream

T = TypeVar("T")

_PLAIN: Final = (NoneType, str, Mapping)
"""What ``format`` is where the answer is to be a text; anything else makes it an object."""


class Answers(Base):
    """The part of `Engine` whose requests go through the pool, as streams or documents."""

    @overload
    def stream_chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        format: type[T] | FormatOf[T],
        **fields: Unpack[FormedChat],
    ) -> AbstractAsyncContextManager[StructuredStream[ChatChunk, ChatResponse, T]]: ...

    @overload
    def stream_chat(
        self, model: str, messages: MessagesInput, **fields: Unpack[PlainChat]
    ) -> Opening[ChatChunk, ChatResponse]: ...

    def stream_chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: BreakRule = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        on_chunk: Callable[[ChatChunk], object] | None = None,
        **fields: Any,
    ) -> Any:
        """Chat, with the answer as it comes.

        Use it in ``async with``; what it gives is a `Stream` of `ChatChunk`. Leaving the block
        stops the
        work: the connection is closed and the server stops generating.

        Args:
            model: the model's name.
            messages: a text (one user message), or a sequence of messages as mappings or objects.
            deadline_s: seconds from now in which the answer must be whole; by default
                `EngineConfig.total_s`.
            priority: from -10 to 10; higher goes first in line. One that waits rises by and by.
            on_break: what to do when the server dies or stalls after a part of the answer was seen:
                ``continue`` on another one where it broke, so that no character is lost and none
                comes twice; ``restart`` from the beginning, which the reader is told by
                `StreamRestartedError`; or ``raise`` `StreamBrokenError`.
            caller: on whose behalf; callers who wait share the fleet fairly.
            tags: only endpoints that have all of these are used.
            on_chunk: called with every chunk as it arrives, before whoever iterates gets it, and
                without waking a task: for who only notes what came, and when
                (``chunk.arrived_ns``). It must neither wait nor raise: an exception ends the
                answer. Of an answer that goes on elsewhere each part is told once; of one that
                begins anew, everything again.
            fields: see `ChatRequest`. With a class or a `JsonSchema` as ``format`` the block gives
                a `StructuredStream`; ``tools`` may be functions.

        Raises:
            SchemaError: a class or a function that cannot be said as a JSON schema.
            InvalidRequestError: on entering the block, if the request is wrong. What fails later is
                raised where the stream is read: `StreamBrokenError`, with the text so far, if the
                answer broke and cannot be gone on with.
        """
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        kind = CHAT.telling(on_chunk)
        if not isinstance(fields.get("format"), _PLAIN):
            from triollama._engine.forming import chat_stream  # noqa: PLC0415 - for who needs it

            return chat_stream(
                self._runtime, model, messages, kind=kind, urgency=urgency, fields=fields
            )
        prepare = partial(chat_call, model, messages, _chat_fields(fields))
        return self._runtime.open_stream(kind, prepare, urgency)

    @overload
    def stream_generate(
        self,
        model: str,
        prompt: str,
        *,
        format: type[T] | FormatOf[T],
        **fields: Unpack[FormedGenerate],
    ) -> AbstractAsyncContextManager[StructuredStream[GenerateChunk, GenerateResponse, T]]: ...

    @overload
    def stream_generate(
        self, model: str, prompt: str, **fields: Unpack[PlainGenerate]
    ) -> Opening[GenerateChunk, GenerateResponse]: ...

    def stream_generate(
        self,
        model: str,
        prompt: str,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: BreakRule = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        on_chunk: Callable[[GenerateChunk], object] | None = None,
        **fields: Any,
    ) -> Any:
        """Complete a prompt, with the answer as it comes; see `stream_chat`.

        Args:
            model: the model's name.
            prompt: the prompt.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`.
            on_break: as in `stream_chat`.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.
            on_chunk: as in `stream_chat`.
            fields: see `GenerateRequest`.
        """
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        kind = GENERATE.telling(on_chunk)
        if not isinstance(fields.get("format"), _PLAIN):
            from triollama._engine.forming import generate_stream  # noqa: PLC0415 - for who needs it

            return generate_stream(
                self._runtime, model, prompt, kind=kind, urgency=urgency, fields=fields
            )
        prepare = partial(generate_call, model, prompt, cast("GenerateFields", fields))
        return self._runtime.open_stream(kind, prepare, urgency)

    @overload
    async def chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        format: type[T] | FormatOf[T],
        format_retries_max: int = 1,
        **fields: Unpack[FormedChat],
    ) -> T: ...

    @overload
    async def chat(
        self, model: str, messages: MessagesInput, **fields: Unpack[PlainChat]
    ) -> ChatResponse: ...

    async def chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: BreakRule = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        on_chunk: Callable[[ChatChunk], object] | None = None,
        format_retries_max: int = 1,
        **fields: Any,
    ) -> Any:
        """Chat, and wait for the whole answer. If cancelled, the server stops generating.

        With a class (attrs, dataclass, msgspec.Struct, TypedDict) or a `JsonSchema` as ``format``
        it gives an object of it.

        Args: as in `stream_chat`; and ``format_retries_max``: how often an answer that does not fit
            its ``format`` is asked for again, with what was wrong; 0 to 10. ``deadline_s`` is for
            all attempts together.

        Raises:
            StructuredOutputError: no answer fitted its ``format``; it has the last one's text.
            TriollamaError: see the class.
        """
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        kind = CHAT.telling(on_chunk)
        if not isinstance(fields.get("format"), _PLAIN):
            from triollama._engine.forming import chat_object  # noqa: PLC0415 - for who needs it

            return await chat_object(
                self._runtime,
                model,
                messages,
                kind=kind,
                urgency=urgency,
                fields=fields,
                retries_max=format_retries_max,
            )
        prepare = partial(chat_call, model, messages, _chat_fields(fields))
        return await self._runtime.collect(kind, prepare, urgency)

    @overload
    async def generate(
        self,
        model: str,
        prompt: str,
        *,
        format: type[T] | FormatOf[T],
        format_retries_max: int = 1,
        **fields: Unpack[FormedGenerate],
    ) -> T: ...

    @overload
    async def generate(
        self, model: str, prompt: str, **fields: Unpack[PlainGenerate]
    ) -> GenerateResponse: ...

    async def generate(
        self,
        model: str,
        prompt: str,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: BreakRule = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        on_chunk: Callable[[GenerateChunk], object] | None = None,
        format_retries_max: int = 1,
        **fields: Any,
    ) -> Any:
        """Complete a prompt, and wait for the whole answer; see `chat` and `stream_generate`."""
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        kind = GENERATE.telling(on_chunk)
        if not isinstance(fields.get("format"), _PLAIN):
            from triollama._engine.forming import generate_object  # noqa: PLC0415 - for who needs it

            return await generate_object(
                self._runtime,
                model,
                prompt,
                kind=kind,
                urgency=urgency,
                fields=fields,
                retries_max=format_retries_max,
            )
        prepare = partial(generate_call, model, prompt, cast("GenerateFields", fields))
        return await self._runtime.collect(kind, prepare, urgency)

    async def embed(
        self,
        model: str,
        input: str | Sequence[str],  # noqa: A002 - the field's name in Ollama's API
        *,
        truncate: bool | None = None,
        dimensions: int | None = None,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
    ) -> EmbedResponse:
        """Turn texts into vectors of length 1, one per text.

        Args:
            model: the model's name.
            input: one text or several.
            truncate: cut a text that is longer than the context (the server's default: true).
            dimensions: cut each vector to this length and normalise it again.
            keep_alive: how long the model stays loaded.
            options: runner options.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.

        Raises:
            TriollamaError: see the class.
        """
        request = EmbedRequest.make(
            model=model,
            input=input,
            truncate=truncate,
            dimensions=dimensions,
            keep_alive=keep_alive,
            options=options,
        )
        if self._runtime.config.check_models:
            await self._runtime.model_checks.check_if_known(request)
        urgency = Urgency(deadline_s, priority, caller=caller, tags=tags)
        terms = urgency.terms(self._runtime.config.total_s)
        call = document_call(request.path, model, request.body())
        return await self._runtime.fetch(call, terms, decode_embed)


def _chat_fields(fields: dict[str, Any]) -> ChatFields:
    """The fields as they are sent: functions among the tools become what is told of them."""
    if "tools" in fields:
        from triollama._engine.forming import with_definitions  # noqa: PLC0415 - for who needs it

        fields = with_definitions(fields)
    return cast("ChatFields", fields)
