"""The models of the servers: what they have, what they have loaded, loading and unloading."""

# ruff: noqa: PLC0415 - what few programs need is imported when it is called

from __future__ import annotations

from triollama._engine.base import Base
from triollama._errors import ModelNotFoundError, RequestRejectedError
from triollama._requests import document_call, query_call
from triollama.actors.streams import Call, Terms
from triollama.actors.streams.attempt import EndpointAccess
from triollama.api import (
    EmbedRequest,
    GenerateChunk,
    GenerateRequest,
    KeepAliveInput,
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
    name_key,
)


class Models(Base):
    """The part of `Engine` that asks servers about models, and has them loaded."""

    async def version(self, *, endpoint: str | None = None) -> VersionResponse:
        """The version of a server."""
        return await self._runtime.questions.query(
            query_call("/api/version"), decode_version, endpoint
        )

    async def tags(self, *, endpoint: str | None = None) -> TagsResponse:
        """The models that a server has."""
        return await self._runtime.questions.query(query_call("/api/tags"), decode_tags, endpoint)

    async def ps(self, *, endpoint: str | None = None) -> PsResponse:
        """The models that a server has loaded."""
        return await self._runtime.questions.query(query_call("/api/ps"), decode_ps, endpoint)

    async def show(
        self,
        model: str,
        *,
        verbose: bool | None = None,
        system: str | None = None,
        options: OptionsInput = None,
        endpoint: str | None = None,
    ) -> ShowResponse:
        """All that a server tells about a model.

        Args:
            model: the model's name.
            verbose: with the vocabulary and other arrays; several megabytes.
            system: shown in place of the model's system prompt.
            options: shown in the model file.
            endpoint: the one to ask.

        Raises:
            ModelNotFoundError: no endpoint that was asked has it.
        """
        request = ShowRequest(model=model, verbose=verbose, system=system, options=options)
        call = document_call(request.path, model, request.body())
        return await self._runtime.questions.query(call, decode_show, endpoint)

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

        return await self._runtime.questions.on_each(model, load_on, endpoint)

    async def unload(self, model: str, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Let a model go as soon as its running requests have ended; see `load`."""
        request = GenerateRequest(model=model, keep_alive=0)
        call = document_call(request.path, model, request.body())

        async def unload_on(name: str) -> None:
            await self._runtime.fetch(call, Terms(endpoint=name), _decode_loaded)

        return await self._runtime.questions.on_each(model, unload_on, endpoint)

    async def copy(
        self, source: str, destination: str, *, endpoint: str | None = None
    ) -> tuple[str, ...]:
        """Give a model one more name.

        Args:
            source: the name that it has.
            destination: the name that it gets, too; a model of that name is replaced.
            endpoint: where; by default on every endpoint that has it.

        Returns:
            The names of the endpoints where it was done.

        Raises:
            InvalidRequestError: that is no name.
            ModelNotFoundError: none of them has it.
            PartialFailureError: it failed on some of several endpoints.
        """
        from triollama.api.transfer import CopyRequest

        request = CopyRequest.make(source=source, destination=destination)
        call = document_call(request.path, source, request.body())
        return await self._order(f"the copy of {source!r}", call, endpoint)

    async def delete(self, model: str, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Delete a model; see `copy`.

        Args:
            model: its name.
            endpoint: where; by default on every endpoint that has it.
        """
        from triollama.api.transfer import DeleteRequest

        request = DeleteRequest(model=model)
        call = Call("DELETE", request.path, request.body(), model, name_key(model))
        return await self._order(f"the deletion of {model!r}", call, endpoint)

    async def _order(self, what: str, call: Call, endpoint: str | None) -> tuple[str, ...]:
        """Have the models of endpoints changed, where they have the one that is meant."""
        from triollama.transfers import do_on_each, give_order

        async def do(access: EndpointAccess) -> None:
            await give_order(access, call)
            self._runtime.prober.ask_soon(access.name)

        try:
            accesses = self._runtime.questions.accesses(endpoint)
            return await do_on_each(what, accesses, do, skips_missing=True)
        except ModelNotFoundError as error:
            if endpoint is not None:
                raise
            missing = error
        available = await self._runtime.questions.list_models()
        raise ModelNotFoundError(call.model, available=available) from missing


def _decode_loaded(body: bytes) -> GenerateChunk:
    return decode_generate_chunk(body, 0)
