"""The calls of `AsyncClient` that are about models, their files and the web."""

# ruff: noqa: A002, PLR0917 - names and order of the arguments are the official client's

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, overload

from . import responses as r
from .asked import MessageGiven, OptionsGiven, model_of, readable
from .base import BaseClient
from .calls import CreateFields, create_fields, move_fields
from .core import Core

__all__ = ["AsyncModelCalls"]


class AsyncModelCalls(BaseClient):
    """The part of `AsyncClient` that needs no slot of a model."""

    @overload
    async def pull(
        self, model: str, *, insecure: bool = False, stream: Literal[True]
    ) -> AsyncIterator[r.ProgressResponse]: ...

    @overload
    async def pull(
        self, model: str, *, insecure: bool = False, stream: Literal[False] = False
    ) -> r.ProgressResponse: ...

    async def pull(
        self, model: str, *, insecure: bool = False, stream: bool = False
    ) -> r.ProgressResponse | AsyncIterator[r.ProgressResponse]:
        """Fetch a model from its registry; with ``stream`` the steps."""
        asked = move_fields(model, insecure=insecure)
        if stream:
            return self._to().parts_async(lambda core: core.moving("pull", asked))
        return await self._to().wait_async(lambda core: core.moved("pull", asked))

    @overload
    async def push(
        self, model: str, *, insecure: bool = False, stream: Literal[True]
    ) -> AsyncIterator[r.ProgressResponse]: ...

    @overload
    async def push(
        self, model: str, *, insecure: bool = False, stream: Literal[False] = False
    ) -> r.ProgressResponse: ...

    async def push(
        self, model: str, *, insecure: bool = False, stream: bool = False
    ) -> r.ProgressResponse | AsyncIterator[r.ProgressResponse]:
        """Send a model to its registry; with ``stream`` the steps."""
        asked = move_fields(model, insecure=insecure)
        if stream:
            return self._to().parts_async(lambda core: core.moving("push", asked))
        return await self._to().wait_async(lambda core: core.moved("push", asked))

    @overload
    async def create(
        self,
        model: str,
        quantize: str | None = None,
        from_: str | None = None,
        files: Mapping[str, str] | None = None,
        adapters: Mapping[str, str] | None = None,
        template: str | None = None,
        license: str | Sequence[str] | None = None,
        system: str | None = None,
        parameters: OptionsGiven | None = None,
        messages: Sequence[MessageGiven] | None = None,
        *,
        stream: Literal[True],
    ) -> AsyncIterator[r.ProgressResponse]: ...

    @overload
    async def create(
        self,
        model: str,
        quantize: str | None = None,
        from_: str | None = None,
        files: Mapping[str, str] | None = None,
        adapters: Mapping[str, str] | None = None,
        template: str | None = None,
        license: str | Sequence[str] | None = None,
        system: str | None = None,
        parameters: OptionsGiven | None = None,
        messages: Sequence[MessageGiven] | None = None,
        *,
        stream: Literal[False] = False,
    ) -> r.ProgressResponse: ...

    async def create(
        self,
        model: str,
        quantize: str | None = None,
        from_: str | None = None,
        files: Mapping[str, str] | None = None,
        adapters: Mapping[str, str] | None = None,
        template: str | None = None,
        license: str | Sequence[str] | None = None,
        system: str | None = None,
        parameters: OptionsGiven | None = None,
        messages: Sequence[MessageGiven] | None = None,
        *,
        stream: bool = False,
    ) -> r.ProgressResponse | AsyncIterator[r.ProgressResponse]:
        """Make a model of another one, or of files whose digests `create_blob` gives."""
        fields = CreateFields(
            quantize=quantize,
            from_=from_,
            files=files,
            adapters=adapters,
            template=template,
            license=license,
            system=system,
            parameters=parameters,
            messages=messages,
        )
        asked = create_fields(model, fields)
        if stream:
            return self._to().parts_async(lambda core: core.moving("create", asked))
        return await self._to().wait_async(lambda core: core.moved("create", asked))

    async def create_blob(self, path: str | Path) -> str:
        """Upload a file, for `create`; a server that has it is not sent it again.

        Raises:
            OSError: the file cannot be read.
        """
        found = readable(path)
        return await self._to().wait_async(lambda core: core.create_blob(found))

    async def list(self) -> r.ListResponse:
        """The models that a server has."""
        return await self._to().wait_async(Core.list)

    async def delete(self, model: str) -> r.StatusResponse:
        """Delete a model."""
        name = model_of(model)
        return await self._to().wait_async(lambda core: core.delete(name))

    async def copy(self, source: str, destination: str) -> r.StatusResponse:
        """Give a model one more name."""
        return await self._to().wait_async(lambda core: core.copy(source, destination))

    async def show(self, model: str) -> r.ShowResponse:
        """All that a server tells about a model."""
        name = model_of(model)
        return await self._to().wait_async(lambda core: core.show(name))

    async def ps(self) -> r.ProcessResponse:
        """The models that a server has loaded."""
        return await self._to().wait_async(Core.ps)

    async def web_search(self, query: str, max_results: int = 3) -> r.WebSearchResponse:
        """Search the web, by ollama.com.

        Raises:
            ValueError: there is no key for it.
        """
        return await self._to_cloud().wait_async(lambda core: core.web_search(query, max_results))

    async def web_fetch(self, url: str) -> r.WebFetchResponse:
        """Read a page of the web, by ollama.com.

        Raises:
            ValueError: there is no key for it.
        """
        return await self._to_cloud().wait_async(lambda core: core.web_fetch(url))
