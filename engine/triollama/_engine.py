"""`open_engine` and `Engine`: what an application calls."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Unpack

import attrs
import httpx
import trio

from triollama._address import host_from_environment
from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import ConfigError, RequestRejectedError
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
from triollama.actors.pool import EndpointStatistics
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
from triollama.wire.reactor import ReactorStatistics


@attrs.frozen
class EngineStatistics:
    """The engine at one moment: ``accepted = done + failed + cancelled + waiting + running``.

    Attributes:
        endpoints: one entry each, in the configured order.
        accepted: requests taken on so far.
        done: answered whole.
        failed: ended with an error.
        cancelled: given up by their caller, or by the closing of the engine.
        waiting: in line, or between two attempts.
        running: sent to an endpoint, or being sent.
        reactor: the reactor's sockets; None where there is no reactor.
        restarts: how often each actor was started again after a crash.
    """

    endpoints: tuple[EndpointStatistics, ...]
    accepted: int
    done: int
    failed: int
    cancelled: int
    waiting: int
    running: int
    reactor: ReactorStatistics | None
    restarts: dict[str, int]


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
            priority: higher goes first in line.
            fields: see `ChatRequest`.

        Raises:
            InvalidRequestError: on entering the block, if the request is wrong. What fails later is
                raised where the stream is read.
        """
        prepare = partial(chat_call, model, messages, fields)
        return self._runtime.open_stream(CHAT, prepare, Urgency(deadline_s, priority))

    def stream_generate(
        self,
        model: str,
        prompt: str,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        **fields: Unpack[GenerateFields],
    ) -> Opening[GenerateChunk, GenerateResponse]:
        """Complete a prompt, with the answer as it comes; see `stream_chat`.

        Args:
            model: the model's name.
            prompt: the prompt.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`.
            fields: see `GenerateRequest`.
        """
        prepare = partial(generate_call, model, prompt, fields)
        return self._runtime.open_stream(GENERATE, prepare, Urgency(deadline_s, priority))

    async def chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        **fields: Unpack[ChatFields],
    ) -> ChatResponse:
        """Chat, and wait for the whole answer. If cancelled, the server stops generating.

        Args: as in `stream_chat`.

        Raises:
            TriollamaError: see the class.
        """
        prepare = partial(chat_call, model, messages, fields)
        return await self._runtime.collect(CHAT, prepare, Urgency(deadline_s, priority))

    async def generate(
        self,
        model: str,
        prompt: str,
        *,
        deadline_s: float | None = None,
        priority: int = 0,
        **fields: Unpack[GenerateFields],
    ) -> GenerateResponse:
        """Complete a prompt, and wait for the whole answer; see `chat` and `stream_generate`."""
        prepare = partial(generate_call, model, prompt, fields)
        return await self._runtime.collect(GENERATE, prepare, Urgency(deadline_s, priority))

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
        terms = Urgency(deadline_s, priority).terms(self._runtime.config.total_s)
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

    # ---- the engine itself

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names of the endpoints, in the configured order."""
        return self._runtime.endpoints

    def statistics(self) -> EngineStatistics:
        """A snapshot."""
        runtime = self._runtime
        return EngineStatistics(
            endpoints=runtime.pool.statistics().endpoints,
            **attrs.asdict(runtime.streams.statistics()),
            reactor=runtime.reactor.statistics() if runtime.reactor is not None else None,
            restarts=runtime.supervisor.restarts(),
        )


@asynccontextmanager
async def open_engine(
    *endpoints: str | EndpointConfig,
    config: EngineConfig | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Engine]:
    """An engine for a fleet, for the time of an ``async with`` block.

    When the block is left, new requests are refused, and running ones get `EngineConfig.grace_s` to
    end; if it is left by an exception or cancelled, they are stopped at once. Then every socket is
    closed.

    Args:
        endpoints: addresses such as ``http://gpu-1:11434``, or `EndpointConfig`; without any, the
            one that the environment's ``OLLAMA_HOST`` names, or ``http://127.0.0.1:11434``.
        config: clocks and limits.
        transport: carries all requests instead of the engine's own connections; it stays open.

    Raises:
        ConfigError: an address or a value is not usable.
        EngineFaultError: later, if an actor crashes again and again.
    """
    config = config or EngineConfig()
    runtime = Runtime(_fleet(endpoints), config, transport)
    # Raised outside the nursery, which would wrap it in a group.
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            await runtime.supervisor.start(nursery)
            try:
                yield Engine(runtime)
                await runtime.streams.close(config.grace_s)
            except (Exception, KeyboardInterrupt, SystemExit) as raised:  # noqa: BLE001 - see above
                error = raised
            finally:
                runtime.streams.stop()
            # Shielded, so that what was raised is not lost to a cancellation.
            with trio.CancelScope(shield=error is not None):
                await runtime.streams.wait_stopped()
                await runtime.supervisor.stop()
    except BaseExceptionGroup as group:
        # What the caller raised counts for more than the cancellation of the actors.
        error = error or (group.exceptions[0] if len(group.exceptions) == 1 else group)
    if error is not None:
        raise error


def _fleet(endpoints: Sequence[str | EndpointConfig]) -> list[EndpointConfig]:
    given = endpoints or (host_from_environment(os.environ.get("OLLAMA_HOST")),)
    fleet = [each if isinstance(each, EndpointConfig) else EndpointConfig(each) for each in given]
    for place, each in enumerate(fleet):
        for other in fleet[:place]:
            if each.url == other.url or each.name == other.name:
                raise ConfigError(f"the endpoint {each.name!r} ({each.url}) is given twice")
    return fleet


def _decode_loaded(body: bytes) -> GenerateChunk:
    return decode_generate_chunk(body, 0)
