"""What is asked of servers without the pool: it needs no model's slot, and waits for none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import trio

from triollama._config import EngineConfig
from triollama._errors import (
    ConfigError,
    ConnectionLostError,
    FleetUnavailableError,
    ModelNotFoundError,
    RequestRejectedError,
    StallError,
    TriollamaError,
)
from triollama._requests import query_call
from triollama.actors.streams import Call, DocumentInflow, EndpointAccess
from triollama.actors.streams.core import STALE_MAX
from triollama.api import decode_tags

QUERY_S = 30.0
"""For version, tags, ps and show: they need no model and wait for none."""

D = TypeVar("D")


class Questions:
    """Asks one endpoint, the first that answers, or each.

    Args:
        access: how the endpoints are reached, by name and in the configured order; the fleet as it
            is now, so it changes.
        config: clocks and limits.
        check_open: raises `EngineClosedError` once the engine is closing.
    """

    def __init__(
        self,
        access: Mapping[str, EndpointAccess],
        config: EngineConfig,
        check_open: Callable[[], None],
    ) -> None:
        self._access = access
        self._config = config
        self._check_open = check_open

    def accesses(self, endpoint: str | None) -> Sequence[EndpointAccess]:
        """How one endpoint is reached, or each of them, in the configured order.

        Raises:
            ConfigError: there is none of that name.
            FleetUnavailableError: there is none at all.
            EngineClosedError: the engine is closed.
        """
        self._check_open()
        names = self._named(endpoint)
        if not names:  # what is done on each of none would be done, to all appearance
            raise FleetUnavailableError(())
        return [self._access[name] for name in names]

    async def query(self, call: Call, decode: Callable[[bytes], D], endpoint: str | None) -> D:
        """A document from the first endpoint that gives it, without a lease.

        Raises:
            TriollamaError: none gave it.
        """
        self._check_open()
        causes: list[TriollamaError] = []
        for access in self.accesses(endpoint):  # as they are now: one may be removed meanwhile
            try:
                with trio.move_on_after(QUERY_S) as scope:
                    return await self._ask(access, call, decode)
            except TriollamaError as error:
                causes.append(error)
            if scope.cancelled_caught:
                causes.append(StallError("QUERY_S", QUERY_S, endpoint=access.name))
        raise await self._fleet_error(causes, call.model)

    async def _ask(self, access: EndpointAccess, call: Call, decode: Callable[[bytes], D]) -> D:
        """A document from one endpoint; a kept connection that had been closed is no failure."""
        stale = 0
        while True:
            inflow = DocumentInflow(decode, self._config)
            try:
                await access.attempt(call, inflow)
            except ConnectionLostError as error:
                stale += 1
                if not error.stale or stale > STALE_MAX:
                    raise
            else:
                assert inflow.value is not None, "an attempt that ends well has its document"
                return inflow.value

    async def list_models(self) -> Sequence[str]:
        """The models of all endpoints that answer quickly; for error messages."""
        names: set[str] = set()

        async def list_on(access: EndpointAccess) -> None:
            try:
                told = await self._ask(access, query_call("/api/tags"), decode_tags)
            except TriollamaError:
                return  # that its models are not named is all that this costs
            names.update(each.name for each in told.models)

        with trio.move_on_after(self._config.connect_s):
            async with trio.open_nursery() as nursery:
                for access in self._access.values():
                    nursery.start_soon(list_on, access)
        return sorted(names)

    async def on_each(
        self, model: str, do: Callable[[str], Awaitable[object]], endpoint: str | None
    ) -> tuple[str, ...]:
        """Do something with a model on every endpoint that has it; returns where it was done.

        Raises:
            TriollamaError: it could be done nowhere.
        """
        self._check_open()
        names = self._named(endpoint)
        done: set[str] = set()
        causes: list[TriollamaError] = []

        async def do_one(name: str) -> None:
            try:
                await do(name)
                done.add(name)
            except FleetUnavailableError as error:
                causes.extend(error.causes)
            except TriollamaError as error:
                causes.append(error)

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(do_one, name)
        if not done:
            raise await self._fleet_error(causes, model)
        return tuple(name for name in self._access if name in done)

    def _named(self, endpoint: str | None) -> Sequence[str]:
        if endpoint is None:
            return tuple(self._access)
        if endpoint not in self._access:
            known = ", ".join(self._access)
            raise ConfigError(f"there is no endpoint {endpoint!r}; there are: {known}")
        return (endpoint,)

    async def _fleet_error(self, causes: Sequence[TriollamaError], model: str) -> TriollamaError:
        if causes and all(isinstance(cause, ModelNotFoundError) for cause in causes):
            return ModelNotFoundError(model, available=await self.list_models())
        if causes and all(isinstance(cause, RequestRejectedError) for cause in causes):
            return causes[0]
        return FleetUnavailableError(causes)
