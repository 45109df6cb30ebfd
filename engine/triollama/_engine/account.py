"""What a server tells of itself and its account, what it relays, and its older routes."""

# ruff: noqa: PLC0415 - what few programs need is imported when it is called

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from triollama._engine.base import Base
from triollama._errors import FleetUnavailableError, RequestRejectedError, TriollamaError
from triollama._requests import Urgency, document_call, query_call
from triollama.actors.streams import Call
from triollama.api import KeepAliveInput, OptionsInput

if TYPE_CHECKING:
    from triollama.api.account import (
        AccountResponse,
        RecommendationsResponse,
        StatusResponse,
        WebFetchResponse,
        WebSearchResponse,
    )
    from triollama.api.embeddings import EmbeddingsResponse

D = TypeVar("D")

CLOUD_HOST = "ollama.com"
"""There the searches are routes of their own; every other server relays them."""


class Account(Base):
    """The part of `Engine` that few programs use.

    ``endpoint`` is the name of one endpoint; without it, the first one that answers is asked.
    """

    async def status(self, *, endpoint: str | None = None) -> StatusResponse:
        """The switches of a server. For the state of the fleet see `statistics`."""
        from triollama.api.account import decode_status

        return await self._runtime.questions.query(
            query_call("/api/status"), decode_status, endpoint
        )

    async def me(self, *, endpoint: str | None = None) -> AccountResponse:
        """The account that a server is signed in to.

        Raises:
            SignInRequiredError: it is signed in to none; the error has the address to do that.
        """
        from triollama.api.account import decode_account

        return await self._runtime.questions.query(
            Call("POST", "/api/me"), decode_account, endpoint
        )

    async def signout(self, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Sign a server out of its account; returns the names of those where it was done.

        Args:
            endpoint: the name of one endpoint; without it, each.

        Raises:
            RequestRejectedError: it is not signed in.
            PartialFailureError: it failed on some of several endpoints.
        """
        from triollama.transfers import do_on_each, give_order

        call = Call("POST", "/api/signout")
        accesses = self._runtime.questions.accesses(endpoint)
        return await do_on_each("the sign-out", accesses, lambda access: give_order(access, call))

    async def web_search(
        self, query: str, *, max_results: int | None = None, endpoint: str | None = None
    ) -> WebSearchResponse:
        """Search the web, through a server that is signed in, or by ollama.com and its key.

        Args:
            query: the words to look for.
            max_results: 1 to 10 (the server's default: 5).
            endpoint: see the class.

        Raises:
            InvalidRequestError: an argument is wrong.
            SignInRequiredError: the server is signed in to no account.
        """
        from triollama.api.account import WebSearchRequest, decode_web_search

        request = WebSearchRequest(query=query, max_results=max_results)
        return await self._relay("web_search", request.body(), decode_web_search, endpoint)

    async def web_fetch(self, url: str, *, endpoint: str | None = None) -> WebFetchResponse:
        """Read a page of the web; see `web_search`.

        Args:
            url: its address.
            endpoint: see the class.
        """
        from triollama.api.account import WebFetchRequest, decode_web_fetch

        body = WebFetchRequest(url=url).body()
        return await self._relay("web_fetch", body, decode_web_fetch, endpoint)

    async def recommendations(self, *, endpoint: str | None = None) -> RecommendationsResponse:
        """Models that are worth a try, as a server knows them."""
        from triollama.api.account import decode_recommendations

        call = query_call("/api/experimental/model-recommendations")
        return await self._runtime.questions.query(call, decode_recommendations, endpoint)

    async def embeddings(
        self,
        model: str,
        prompt: str | None = None,
        *,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        deadline_s: float | None = None,
        priority: int = 0,
    ) -> EmbeddingsResponse:
        """Turn one text into a vector by the older route; `embed` does more.

        Args:
            model: the model's name.
            prompt: the text.
            keep_alive: how long the model stays loaded.
            options: runner options.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`.
        """
        from triollama.api.embeddings import EmbeddingsRequest, decode_embeddings

        request = EmbeddingsRequest(
            model=model, prompt=prompt, keep_alive=keep_alive, options=options
        )
        terms = Urgency(deadline_s, priority).terms(self._runtime.config.total_s)
        call = document_call(request.path, model, request.body())
        return await self._runtime.fetch(call, terms, decode_embeddings)

    async def _relay(
        self, name: str, body: bytes, decode: Callable[[bytes], D], endpoint: str | None
    ) -> D:
        """Ask for something of the cloud's, by the route that each endpoint has for it."""
        causes: list[TriollamaError] = []
        for access in self._runtime.questions.accesses(endpoint):
            is_cloud = access.host == CLOUD_HOST
            path = f"/api/{name}" if is_cloud else f"/api/experimental/{name}"
            try:
                return await self._runtime.questions.query(
                    Call("POST", path, body), decode, access.name
                )
            except FleetUnavailableError as error:
                causes += error.causes
            except TriollamaError as error:
                causes.append(error)
        refused = [cause for cause in causes if isinstance(cause, RequestRejectedError)]
        raise refused[0] if refused else FleetUnavailableError(causes)
