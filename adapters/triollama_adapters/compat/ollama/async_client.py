"""`AsyncClient`: the official asynchronous client's calls, on an engine in a thread."""

# ruff: noqa: A002, FBT001, PLR0917 - names and order of the arguments are the official client's

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from . import responses as r
from .asked import ImageGiven, MessageGiven, OptionsGiven, ToolGiven
from .async_client_models import AsyncModelCalls
from .calls import (
    ChatFields,
    GenerateFields,
    chat_fields,
    embed_fields,
    embeddings_fields,
    generate_fields,
    systemone_fields,
)
from .system_one import SystemOneContent, SystemOneQuestion, SystemOneResponse

__all__ = ["AsyncClient"]


class AsyncClient(AsyncModelCalls):
    """The official asynchronous client's surface, for asyncio and for trio.

    Args: see `BaseClient`.

    Raises:
        RequestError: a request is wrong; nothing was sent.
        ResponseError: the server refused it, or failed.
        ConnectionError: no server could be reached.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    async def close(self) -> None:
        """End the engine. What still runs is stopped."""
        self._close()

    @overload
    async def generate(
        self,
        model: str = "",
        prompt: str | None = None,
        suffix: str | None = None,
        *,
        stream: Literal[True],
        **fields: Unpack[GenerateFields],
    ) -> AsyncIterator[r.GenerateResponse]: ...

    @overload
    async def generate(
        self,
        model: str = "",
        prompt: str | None = None,
        suffix: str | None = None,
        *,
        stream: Literal[False] = False,
        **fields: Unpack[GenerateFields],
    ) -> r.GenerateResponse: ...

    @overload
    async def generate(
        self,
        model: str = "",
        prompt: str | None = None,
        suffix: str | None = None,
        *,
        stream: bool,
        **fields: Unpack[GenerateFields],
    ) -> r.GenerateResponse | AsyncIterator[r.GenerateResponse]: ...

    async def generate(
        self,
        model: str = "",
        prompt: str | None = None,
        suffix: str | None = None,
        *,
        system: str | None = None,
        template: str | None = None,
        context: Sequence[int] | None = None,
        stream: bool = False,
        think: bool | str | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        raw: bool | None = None,
        format: str | Mapping[str, Any] | None = None,
        images: Sequence[ImageGiven] | None = None,
        options: OptionsGiven | None = None,
        keep_alive: float | str | None = None,
        width: int | None = None,
        height: int | None = None,
        steps: int | None = None,
    ) -> r.GenerateResponse | AsyncIterator[r.GenerateResponse]:
        """Complete a prompt; with ``stream`` its parts as they come."""
        fields = GenerateFields(
            system=system,
            template=template,
            context=context,
            think=think,
            logprobs=logprobs,
            top_logprobs=top_logprobs,
            raw=raw,
            format=format,
            images=images,
            options=options,
            keep_alive=keep_alive,
            width=width,
            height=height,
            steps=steps,
        )
        asked = generate_fields(model, prompt, suffix, fields)
        if stream:
            return self._to().parts_async(lambda core: core.generate_parts(asked))
        return await self._to().wait_async(lambda core: core.generate(asked))

    @overload
    async def chat(
        self,
        model: str = "",
        messages: Sequence[MessageGiven] | None = None,
        *,
        stream: Literal[True],
        **fields: Unpack[ChatFields],
    ) -> AsyncIterator[r.ChatResponse]: ...

    @overload
    async def chat(
        self,
        model: str = "",
        messages: Sequence[MessageGiven] | None = None,
        *,
        stream: Literal[False] = False,
        **fields: Unpack[ChatFields],
    ) -> r.ChatResponse: ...

    @overload
    async def chat(
        self,
        model: str = "",
        messages: Sequence[MessageGiven] | None = None,
        *,
        stream: bool,
        **fields: Unpack[ChatFields],
    ) -> r.ChatResponse | AsyncIterator[r.ChatResponse]: ...

    async def chat(
        self,
        model: str = "",
        messages: Sequence[MessageGiven] | None = None,
        *,
        tools: Sequence[ToolGiven] | None = None,
        stream: bool = False,
        think: bool | str | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        format: str | Mapping[str, Any] | None = None,
        options: OptionsGiven | None = None,
        keep_alive: float | str | None = None,
    ) -> r.ChatResponse | AsyncIterator[r.ChatResponse]:
        """Chat; with ``stream`` the answer's parts as they come. Functions may be tools."""
        fields = ChatFields(
            tools=tools,
            think=think,
            logprobs=logprobs,
            top_logprobs=top_logprobs,
            format=format,
            options=options,
            keep_alive=keep_alive,
        )
        asked = chat_fields(model, messages, fields)
        if stream:
            return self._to().parts_async(lambda core: core.chat_parts(asked))
        return await self._to().wait_async(lambda core: core.chat(asked))

    async def systemone(
        self,
        model: str,
        state: SystemOneContent,
        questions: Mapping[str, SystemOneQuestion | Mapping[str, Any]],
        keep_alive: float | str | None = None,
    ) -> SystemOneResponse:
        """Score questions about a state; wants Ollama 0.35."""
        asked = systemone_fields(model, state, questions, keep_alive)
        return await self._to().wait_async(lambda core: core.systemone(asked))

    async def embed(
        self,
        model: str = "",
        input: str | Sequence[str] = "",
        truncate: bool | None = None,
        options: OptionsGiven | None = None,
        keep_alive: float | str | None = None,
        dimensions: int | None = None,
    ) -> r.EmbedResponse:
        """Turn texts into vectors, one per text."""
        asked = embed_fields(
            model,
            input,
            truncate=truncate,
            options=options,
            keep_alive=keep_alive,
            dimensions=dimensions,
        )
        return await self._to().wait_async(lambda core: core.embed(asked))

    async def embeddings(
        self,
        model: str = "",
        prompt: str | None = None,
        options: OptionsGiven | None = None,
        keep_alive: float | str | None = None,
    ) -> r.EmbeddingsResponse:
        """Turn one text into a vector by the older route; `embed` does more."""
        asked = embeddings_fields(model, prompt, options=options, keep_alive=keep_alive)
        return await self._to().wait_async(lambda core: core.embeddings(asked))
