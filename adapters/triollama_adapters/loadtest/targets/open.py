"""`open_target`: an asker for a plan, for the time of a block."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import trio

from triollama import ConfigError, EndpointConfig, EngineConfig, open_engine
from triollama.wire.connection_set import ConnectionLimits
from triollama.wire.reactor import Reactor
from triollama.wire.transport import WireTransport
from triollama_adapters.loadtest.errors import PlanError, TargetError
from triollama_adapters.loadtest.plan import Plan, Target
from triollama_adapters.loadtest.targets.asker import Asker
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.direct import DirectAsker
from triollama_adapters.loadtest.targets.pooled import PooledAsker
from triollama_adapters.loadtest.targets.shown import key_in

__all__ = ["endpoints_of", "open_target"]

CONNECTIONS_MAX: Final = 1_000_000
"""To one endpoint: the system's own limits come first."""

IDLE_S: Final = 60.0
"""As the engine: below nginx's 75 s."""

LINE_MAX: Final = 1_000_000
"""Of the engine's own line: it may hold a whole run."""


@asynccontextmanager
async def open_target(
    plan: Plan, clock: RunClock, *, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Asker]:
    """Connections to the plan's endpoints; leaving the block closes them.

    Args:
        plan: whom to ask, and how.
        clock: of the run; it may begin later.
        transport: carries all requests in place of connections of our own, for proofs on scripted
            timelines; it stays open.

    Raises:
        TargetError: an address is not usable.
        PlanError: the engine's pool cannot choose for ``/v1``.
    """
    endpoints = endpoints_of(plan.target)
    opening = _open_pooled if plan.target.routing == "engine" else _open_direct
    raised: BaseException | None = None
    async with opening(plan, clock, endpoints, transport) as asker, trio.open_nursery() as nursery:
        nursery.start_soon(asker.run)
        try:
            yield asker
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - raised again below
            raised = error  # outside the nursery, which would wrap it in a group
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


def endpoints_of(target: Target) -> list[EndpointConfig]:
    """The endpoints of a target, their addresses checked, with what they are shown.

    Raises:
        TargetError: an address is not usable, or is given twice.
    """
    try:
        found = [
            EndpointConfig(
                url,
                max_in_flight=CONNECTIONS_MAX,
                headers=target.headers,
                auth=key_in(url, target.headers, os.environ),
            )
            for url in target.endpoints
        ]
    except ConfigError as error:
        raise TargetError(str(error)) from None
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise TargetError(f"the endpoint {name} is given twice")
    if not found:
        raise TargetError("there is no endpoint to put a load on; give one with --endpoint")
    return found


@asynccontextmanager
async def _open_direct(
    plan: Plan,
    clock: RunClock,
    endpoints: list[EndpointConfig],
    transport: httpx.AsyncBaseTransport | None,
) -> AsyncIterator[DirectAsker]:
    limits = ConnectionLimits(CONNECTIONS_MAX, CONNECTIONS_MAX, IDLE_S)
    reactor = Reactor() if Reactor.is_supported() else None
    async with trio.open_nursery() as nursery:
        if reactor is not None:
            await nursery.start(reactor.run)
        async with WireTransport(reactor=reactor, limits=limits) as wire:
            yield DirectAsker(plan, clock, endpoints, wire=wire, foreign=transport)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _open_pooled(
    plan: Plan,
    clock: RunClock,
    endpoints: list[EndpointConfig],
    transport: httpx.AsyncBaseTransport | None,
) -> AsyncIterator[PooledAsker]:
    target = plan.target
    if target.api == "openai":
        raise PlanError("the engine's pool cannot choose for /v1; use --routing even")
    config = EngineConfig(
        connect_s=target.connect_s,
        first_token_s=target.first_token_s,
        stall_s=target.stall_s,
        total_s=target.total_s,
        line_max=LINE_MAX,
        grace_s=0.0,
    )
    async with open_engine(*endpoints, config=config, transport=transport) as engine:
        yield PooledAsker(plan, clock, engine)
