"""Checks of requests that need to know the model: its capabilities, and the context it has.

What ``show`` tells of a model is kept for `SHOWN_S`, so that a plain request costs no round trip
more than once in that time; and none at all unless `EngineConfig.check_models` is set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import attrs
import trio

from triollama._errors import (
    EndpointError,
    EngineError,
    InvalidRequestError,
    RequestRejectedError,
)
from triollama._requests import document_call, query_call
from triollama.actors.streams import Call
from triollama.api import (
    ChatRequest,
    EmbedRequest,
    GenerateRequest,
    ShowRequest,
    decode_ps,
    decode_show,
    doubts,
    name_key,
)
from triollama.api.capabilities import capability_problems

__all__ = ["ModelChecks"]

SHOWN_S = 60.0
"""A name gets another model only when somebody pulls or makes one."""

MODELS_MAX = 256
"""Of which something is kept."""

D = TypeVar("D")
AnyRequest = ChatRequest | GenerateRequest | EmbedRequest
Prepare = Callable[[], Awaitable[Call]]


class Query(Protocol):
    """Asks servers for a document: `Runtime.query`."""

    def __call__(
        self, call: Call, decode: Callable[[bytes], D], endpoint: str | None
    ) -> Awaitable[D]:
        """From the first endpoint that gives it."""


@attrs.frozen
class Shown:
    """What is kept of one model.

    Attributes:
        at_s: since when, on trio's clock.
        capabilities: as the server tells them.
        context_length: tokens that it was trained for.
    """

    at_s: float
    capabilities: frozenset[str]
    context_length: int | None


class ModelChecks:
    """What is known of models, and the checks that need it.

    Args:
        query: asks the servers.
    """

    def __init__(self, query: Query) -> None:
        self._query = query
        self._shown: dict[tuple[str, str | None], Shown] = {}

    def after(self, prepare: Prepare) -> Prepare:
        """The same preparation, with the checks behind it; a fleet that is silent stops nothing."""

        async def prepare_and_check() -> Call:
            call = await prepare()
            if call.request is not None:
                await self.check_if_known(call.request)
            return call

        return prepare_and_check

    async def check_if_known(self, request: AnyRequest) -> None:
        """Check the capabilities; where no server tells them, the request itself will tell.

        Raises:
            InvalidRequestError: the model cannot do it.
        """
        try:
            shown = await self._model(request.model, None)
        except (EndpointError, EngineError, RequestRejectedError):
            return
        _refuse(request, shown)

    async def check(self, request: AnyRequest, endpoint: str | None) -> tuple[str, ...]:
        """Check all that can be known; returns the doubts.

        Raises:
            InvalidRequestError: the model cannot do it.
            TriollamaError: no server told.
        """
        shown = await self._model(request.model, endpoint)
        _refuse(request, shown)
        loaded = await self._loaded(request, endpoint)
        return doubts(request.options, context_length=shown.context_length, loaded=loaded)

    async def _model(self, model: str, endpoint: str | None) -> Shown:
        key = (name_key(model), endpoint)
        known, now_s = self._shown.get(key), trio.current_time()
        if known is not None and now_s < known.at_s + SHOWN_S:
            return known
        request = ShowRequest(model=model)
        call = document_call(request.path, model, request.body())
        told = await self._query(call, decode_show, endpoint)
        self._shown.pop(key, None)
        if len(self._shown) >= MODELS_MAX:
            del self._shown[next(iter(self._shown))]
        known = Shown(now_s, frozenset(told.capabilities), told.context_length)
        self._shown[key] = known
        return known

    async def _loaded(self, request: AnyRequest, endpoint: str | None) -> dict[str, int | bool]:
        """The context that the model is loaded with, if a request sets one and it is loaded."""
        if "num_ctx" not in (request.options or {}):
            return {}
        running = await self._query(query_call("/api/ps"), decode_ps, endpoint)
        key = name_key(request.model)
        found = [each for each in running.models if name_key(each.name) == key]
        lengths = [each.context_length for each in found if each.context_length]
        return {"num_ctx": lengths[0]} if lengths else {}


def _refuse(request: AnyRequest, shown: Shown) -> None:
    problems = capability_problems(request, shown.capabilities)
    if problems:
        raise InvalidRequestError(problems=problems)
