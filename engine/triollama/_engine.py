"""`open_engine` and `Engine`: what an application calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, Unpack

from triollama._config import EndpointConfig, as_endpoint
from triollama._errors import RequestRejectedError
from triollama._facts import Fact
from triollama._requests import (
    CHAT,
    GENERATE,
    ChatFields,
    GenerateFields,
    Urgency,
    chat_call,
    document_call,
    generate_call,
    query_call,
)
from triollama._runtime import Opening, Runtime
from triollama._statistics import EngineStatistics, take_statistics
from triollama.actors.facts import Subscription
from triollama.actors.streams import Terms
from triollama.api import (
    ChatChunk,
    ChatResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateChunk,
    GenerateRequest,
    GenerateResponse,
    KeepAliveInput,
    MessagesInput,
    OptionsInput,
    PsResponse,
    ShowRequest,
    ShowResponse,
    TagsResponse,
    VersionResponse,
    decode_embed,
    decode_generate_chunk,
    decode_ps,
    decode_show,
    decode_tags,
    decode_version,
)

BreakRule = Literal["continue", "restart", "raise"]
"""What to do when an answer breaks; see `Engine.stream_chat`."""


class Engine:
    """Streams from a fleet of Ollama servers. Made by `open_engine`.

    All methods may be called from any number of tasks. Where a method takes ``endpoint``, it is the
    name of one endpoint, and without it the engine chooses. Errors are those of
    `triollama._errors`: the caller's (`CallerError`), one server's (`EndpointError`), this
    process's (`EngineError`).
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __repr__(self) -> str:
        running = self._runtime.streams.statistics().running
        return f"<Engine {len(self.endpoints)} endpoints, {running} running>"

    # ---- answers

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
        **fields: Unpack[ChatFields],
    ) -> Opening[ChatChunk, ChatResponse]:
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
            fields: see `ChatRequest`.

        Raises:
            InvalidRequestError: on entering the block, if the request is wrong. What fails later is
                raised where the stream is read: `StreamBrokenError`, with the text so far, if the
                answer broke and cannot be gone on with.
        """
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        prepare = partial(chat_call, model, messages, fields)
        return self._runtime.open_stream(CHAT.telling(on_chunk), prepare, urgency)

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
        **fields: Unpack[GenerateFields],
    ) -> Opening[GenerateChunk, GenerateResponse]:
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
        prepare = partial(generate_call, model, prompt, fields)
        return self._runtime.open_stream(GENERATE.telling(on_chunk), prepare, urgency)

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
        **fields: Unpack[ChatFields],
    ) -> ChatResponse:
        """Chat, and wait for the whole answer. If cancelled, the server stops generating.

        Args: as in `stream_chat`.

        Raises:
            TriollamaError: see the class.
        """
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        prepare = partial(chat_call, model, messages, fields)
        return await self._runtime.collect(CHAT.telling(on_chunk), prepare, urgency)

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
        **fields: Unpack[GenerateFields],
    ) -> GenerateResponse:
        """Complete a prompt, and wait for the whole answer; see `chat` and `stream_generate`."""
        urgency = Urgency(deadline_s, priority, on_break, caller, tags)
        prepare = partial(generate_call, model, prompt, fields)
        return await self._runtime.collect(GENERATE.telling(on_chunk), prepare, urgency)

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
        request = EmbedRequest(
            model=model,
            input=input,
            truncate=truncate,
            dimensions=dimensions,
            keep_alive=keep_alive,
            options=options,
        )
        urgency = Urgency(deadline_s, priority, caller=caller, tags=tags)
        terms = urgency.terms(self._runtime.config.total_s)
        call = document_call(request.path, model, request.body())
        return await self._runtime.fetch(call, terms, decode_embed)

    # ---- models and servers

    async def version(self, *, endpoint: str | None = None) -> VersionResponse:
        """The version of a server."""
        return await self._runtime.query(query_call("/api/version"), decode_version, endpoint)

    async def tags(self, *, endpoint: str | None = None) -> TagsResponse:
        """The models that a server has."""
        return await self._runtime.query(query_call("/api/tags"), decode_tags, endpoint)

    async def ps(self, *, endpoint: str | None = None) -> PsResponse:
        """The models that a server has loaded."""
        return await self._runtime.query(query_call("/api/ps"), decode_ps, endpoint)

    async def show(
        self, model: str, *, verbose: bool | None = None, endpoint: str | None = None
    ) -> ShowResponse:
        """All that a server tells about a model.

        Args:
            model: the model's name.
            verbose: with the vocabulary and other arrays; several megabytes.
            endpoint: the one to ask.

        Raises:
            ModelNotFoundError: no endpoint that was asked has it.
        """
        request = ShowRequest(model=model, verbose=verbose)
        call = document_call(request.path, model, request.body())
        return await self._runtime.query(call, decode_show, endpoint)

    async def load(
        self,
        model: str,
        *,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        endpoint: str | None = None,
    ) -> tuple[str, ...]:
        """Load a model, so that the first request need not wait for that.

        Args:
            model: the model's name.
            keep_alive: how long it stays loaded.
            options: runner options; requests with other ones load it again.
            endpoint: the one to load it on; by default every one that has it.

        Returns:
            The names of the endpoints that have it loaded now.

        Raises:
            ModelNotFoundError: none of them has it.
            FleetUnavailableError: none could load it.
        """
        generate = GenerateRequest(model=model, keep_alive=keep_alive, options=options)
        embed = EmbedRequest(model=model, keep_alive=keep_alive, options=options)
        load = document_call(generate.path, model, generate.body())
        # Embedding models are loaded through their own route.
        load_embedding = document_call(embed.path, model, embed.body())

        async def load_on(name: str) -> None:
            try:
                await self._runtime.fetch(load, Terms(endpoint=name), _decode_loaded)
            except RequestRejectedError as error:
                if "does not support generate" not in error.message:
                    raise
                await self._runtime.fetch(load_embedding, Terms(endpoint=name), decode_embed)

        return await self._runtime.on_each(model, load_on, endpoint)

    async def unload(self, model: str, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Let a model go as soon as its running requests have ended; see `load`."""
        request = GenerateRequest(model=model, keep_alive=0)
        call = document_call(request.path, model, request.body())

        async def unload_on(name: str) -> None:
            await self._runtime.fetch(call, Terms(endpoint=name), _decode_loaded)

        return await self._runtime.on_each(model, unload_on, endpoint)

    # ---- the fleet

    def add_endpoint(self, endpoint: str | EndpointConfig) -> None:
        """Let one more server take part, from now on.

        Args:
            endpoint: its address, or all about it.

        Raises:
            ConfigError: it takes part already, by its name or its address.
        """
        self._runtime.add_endpoint(as_endpoint(endpoint))

    def update_endpoint(self, endpoint: EndpointConfig) -> None:
        """Replace what is known of the endpoint of that name; what runs there goes on as it began.

        Args:
            endpoint: all about it, with the name that it has.

        Raises:
            ConfigError: there is none of that name, or another one has that address.
        """
        self._runtime.update_endpoint(endpoint)

    async def drain_endpoint(self, name: str) -> None:
        """Send an endpoint nothing new, and wait until nothing runs there.

        If cancelled, it goes on being drained; `update_endpoint` puts it back in service.

        Raises:
            ConfigError: there is none of that name.
        """
        await self._runtime.drain_endpoint(name)

    async def remove_endpoint(self, name: str) -> None:
        """Take an endpoint out of the fleet: nothing new is sent to it, what runs there ends.

        Waits for that; if cancelled, it goes on all the same.

        Raises:
            ConfigError: there is none of that name.
        """
        await self._runtime.remove_endpoint(name)

    # ---- the engine itself

    @asynccontextmanager
    async def subscribe(
        self, *kinds: type[Fact], capacity: int = 1_000
    ) -> AsyncIterator[Subscription]:
        """Hear what happens, in ``async with``: ``async for fact in facts``.

        Args:
            kinds: the classes of facts to hear, subclasses included; all without any.
            capacity: facts that may wait to be read. Further ones are dropped, and counted in
                ``facts.dropped``: nobody else waits for a slow subscriber.

        Raises:
            ConfigError: a capacity that makes no sense.
        """
        with self._runtime.facts.subscribe(capacity, kinds) as subscription:
            yield subscription

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names of the endpoints, in the configured order."""
        return self._runtime.endpoints

    def statistics(self) -> EngineStatistics:
        """A snapshot."""
        return take_statistics(self._runtime)


def _decode_loaded(body: bytes) -> GenerateChunk:
    return decode_generate_chunk(body, 0)
