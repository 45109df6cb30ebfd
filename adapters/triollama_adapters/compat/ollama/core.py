"""The calls themselves, on an engine, in the engine's thread. What holds one is a client.

Each method takes the official client's arguments, already turned into the engine's, and gives the
official client's answers. Streams are given as `Parts`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from triollama import Engine, Stream, open_wire_transport

from . import answered
from . import responses as r
from .errors import UNREACHABLE, ResponseError, UnreachableError, translating
from .settings import Settings
from .system_one import SystemOneResponse

__all__ = ["Core", "Parts"]

T = TypeVar("T")

PARTS_MAX = 32
"""With one call; more than a server sends at once."""

SYSTEMONE_PATH = "/v1/systemone"


class Parts(Generic[T]):
    """An answer as it comes, some parts with each call. Begun by the first call, ended by `close`.

    Args:
        block: the engine's stream.
        make: makes a part of what the engine gives.
        route: see `translating`.
    """

    def __init__(self, block: Any, make: Callable[[Any], T], route: str) -> None:
        self._block: AbstractAsyncContextManager[AsyncIterator[Any]] = block
        self._make = make
        self._route = route
        self._events: AsyncIterator[Any] | None = None

    async def next(self) -> Sequence[T]:
        """The next part, with those behind it that have come already; none after the last one.

        Each call is a way to another thread and back, which costs more than a part.

        Raises: what the official client would.
        """
        with translating(self._route, is_stream=True):
            if self._events is None:
                self._events = await self._block.__aenter__()
            parts: list[T] = []
            async for event in self._events:
                parts.append(self._make(event))
                if len(parts) == PARTS_MAX or not _has_more(self._events):
                    break
            return parts

    async def close(self) -> None:
        """Stop the work, unless it is whole."""
        if self._events is not None:
            self._events = None
            await self._block.__aexit__(None, None, None)


def _has_more(events: AsyncIterator[Any]) -> bool:
    """Whether the next event has arrived."""
    return isinstance(events, Stream) and events.statistics().unread_chunks > 0


class Core:
    """One client's engine, and what it is asked.

    Args:
        engine: for the models.
        settings: what the client was made with.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    # ---- answers of models

    async def chat(self, fields: Mapping[str, Any]) -> r.ChatResponse:
        """A whole answer."""
        with translating("chat"):
            return answered.chat_whole(await self._engine.chat(**self._asked(fields)))

    def chat_parts(self, fields: Mapping[str, Any]) -> Parts[r.ChatResponse]:
        """An answer as it comes."""
        block = self._engine.stream_chat(**self._asked(fields))
        return Parts(block, answered.chat_part, "chat")

    async def generate(self, fields: Mapping[str, Any]) -> r.GenerateResponse:
        """A whole completion."""
        with translating("generate"):
            return answered.generate_whole(await self._engine.generate(**self._asked(fields)))

    def generate_parts(self, fields: Mapping[str, Any]) -> Parts[r.GenerateResponse]:
        """A completion as it comes."""
        block = self._engine.stream_generate(**self._asked(fields))
        return Parts(block, answered.generate_part, "generate")

    async def embed(self, fields: Mapping[str, Any]) -> r.EmbedResponse:
        """Vectors of texts."""
        with translating("embed"):
            return answered.embed_whole(await self._engine.embed(**fields))

    async def embeddings(self, fields: Mapping[str, Any]) -> r.EmbeddingsResponse:
        """The vector of a text."""
        with translating("embeddings"):
            return answered.embeddings_whole(await self._engine.embeddings(**fields))

    async def systemone(self, fields: Mapping[str, Any]) -> SystemOneResponse:
        """Scored questions. The engine does not know this route: it is sent as it is, once."""
        body = await self._post(SYSTEMONE_PATH, msgspec.json.encode(fields))
        return SystemOneResponse(**msgspec.json.decode(body))

    # ---- models

    async def moved(self, kind: str, fields: Mapping[str, Any]) -> r.ProgressResponse:
        """A pull, a push or a create, whole."""
        with translating(kind):
            await getattr(self._engine, kind)(**fields)
        return r.ProgressResponse(status="success")

    def moving(self, kind: str, fields: Mapping[str, Any]) -> Parts[r.ProgressResponse]:
        """The same as it goes on."""
        return Parts(getattr(self._engine, kind)(**fields), answered.progress, kind)

    async def create_blob(self, path: Path) -> str:
        """Upload a file; gives its digest."""
        with translating("blobs"):
            return await self._engine.push_blob(path)

    async def list(self) -> r.ListResponse:
        """The models that a server has."""
        with translating("tags"):
            return answered.listed(await self._engine.tags())

    async def ps(self) -> r.ProcessResponse:
        """The models that a server has loaded."""
        with translating("ps"):
            return answered.running(await self._engine.ps())

    async def show(self, model: str) -> r.ShowResponse:
        """All about a model."""
        with translating("show"):
            return answered.shown(await self._engine.show(model))

    async def delete(self, model: str) -> r.StatusResponse:
        """Delete a model."""
        with translating("delete"):
            await self._engine.delete(model)
        return r.StatusResponse(status="success")

    async def copy(self, source: str, destination: str) -> r.StatusResponse:
        """Give a model one more name."""
        with translating("copy"):
            await self._engine.copy(source, destination)
        return r.StatusResponse(status="success")

    # ---- the web

    async def web_search(self, query: str, max_results: int) -> r.WebSearchResponse:
        """Search the web."""
        with translating("web_search"):
            answer = await self._engine.web_search(query, max_results=max_results)
        return answered.found(answer)

    async def web_fetch(self, url: str) -> r.WebFetchResponse:
        """Read a page."""
        with translating("web_fetch"):
            page = await self._engine.web_fetch(url)
        return r.WebFetchResponse(title=page.title, content=page.content, links=list(page.links))

    # ---- inside

    def _asked(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {**fields, "on_break": self._settings.on_break}

    async def _post(self, path: str, body: bytes) -> bytes:
        """Send a body to the first server, and give the answer's."""
        endpoint = self._settings.endpoints[0]
        headers = {**endpoint.headers, "Content-Type": "application/json"}
        if endpoint.auth is not None and endpoint.auth.source is None:
            headers["Authorization"] = endpoint.auth.header()
        async with AsyncExitStack() as stack:
            transport = self._settings.transport
            if transport is None:
                transport = await stack.enter_async_context(open_wire_transport(tls=endpoint.tls))
            client = httpx.AsyncClient(transport=transport, base_url=endpoint.url, timeout=None)  # noqa: S113
            try:
                answer = await client.post(path, content=body, headers=headers)
            except httpx.ConnectError as error:
                raise UnreachableError(UNREACHABLE) from error
            if answer.is_error:
                raise ResponseError(answer.text, answer.status_code)
            return answer.content
