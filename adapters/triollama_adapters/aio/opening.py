"""`open_engine` of asyncio programs."""

from __future__ import annotations

import asyncio
from functools import partial
from types import TracebackType
from typing import Any

import attrs
import httpx

import triollama
from triollama import EndpointConfig, EngineConfig
from triollama_adapters.aio.abroad import Home
from triollama_adapters.aio.objects import MIRRORS
from triollama_adapters.aio.waiting import END_S, Bell
from triollama_adapters.portal import Job, Portal

__all__ = ["EngineOpening", "open_engine"]


class EngineOpening:
    """An engine for the time of an ``async with`` block. Made by `open_engine`."""

    def __init__(self, *endpoints: str | EndpointConfig, **options: Any) -> None:
        self._endpoints = endpoints
        self._options = options
        self._portal: Portal | None = None

    async def __aenter__(self) -> Any:
        if self._portal is not None:
            raise RuntimeError("a block is entered once: call open_engine again")
        endpoints = [_at_home(each) for each in self._endpoints]
        opening = partial(triollama.open_engine, *endpoints, **self._options)
        portal = self._portal = Portal(opening)
        bell = Bell()
        opened: Job[triollama.Engine] = Job(_nothing, bell.ring)
        portal.start(opened)
        try:
            await bell.wait(lambda: opened.is_done)
            return MIRRORS.wrap(opened.result(), portal)
        except BaseException:
            await _stop(portal)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        portal = self._portal
        assert portal is not None
        if kind is not None:
            await _stop(portal)
            return
        bell = Bell()
        portal.when_over(bell.ring)
        portal.close()
        try:
            await bell.wait(lambda: portal.is_over)
        except asyncio.CancelledError:
            await _stop(portal)
            raise
        portal.join(END_S)
        if portal.failure is not None:
            raise portal.failure


def open_engine(
    *endpoints: str | EndpointConfig,
    config: EngineConfig | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> EngineOpening:
    """An engine for a fleet, for the time of an ``async with`` block of an asyncio program.

    It runs in a thread of its own, and may be used from any asyncio loop, by any number of tasks.
    When the block is left, new requests are refused, and running ones get `EngineConfig.grace_s` to
    end; if it is left by an exception or cancelled, they are stopped at once. Then every socket is
    closed, and the thread has ended.

    Args:
        endpoints: addresses such as ``http://gpu-1:11434``, or `EndpointConfig`; without any, the
            one that the environment's ``OLLAMA_HOST`` names, or ``http://127.0.0.1:11434``. An
            async function that gives a token runs in the loop that enters the block.
        config: clocks and limits.
        transport: carries all requests instead of the engine's own connections, in the engine's
            thread and on trio; it stays open.

    Raises:
        ConfigError: on entering the block: an address or a value is not usable.
        EngineFaultError: on leaving it: the engine has failed. Calls got `EngineClosedError`.
    """
    return EngineOpening(*endpoints, config=config, transport=transport)


async def _stop(portal: Portal) -> None:
    """Stop it at once, and wait until it is over, whatever is cancelled meanwhile."""
    bell = Bell()
    portal.when_over(bell.ring)
    portal.stop()
    await bell.wait_through(lambda: portal.is_over)  # noqa: ASYNC102 - of asyncio, and bounded
    if portal.is_over:
        portal.join(END_S)


def _at_home(endpoint: str | EndpointConfig) -> str | EndpointConfig:
    """An endpoint whose token is fetched in this asyncio loop, if by an async function."""
    if not isinstance(endpoint, EndpointConfig) or endpoint.auth is None:
        return endpoint
    auth: Any = endpoint.auth
    if auth.source is None:
        return endpoint
    return attrs.evolve(endpoint, auth=attrs.evolve(auth, source=Home().function(auth.source)))


async def _nothing() -> triollama.Engine:
    raise AssertionError("it is ended by the portal, and never begun")
