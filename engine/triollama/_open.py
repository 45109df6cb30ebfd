"""`open_engine`: starts an engine's actors for the time of a block, and stops them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import trio

from triollama._address import host_from_environment
from triollama._config import EndpointConfig, EngineConfig, as_endpoint
from triollama._engine import Engine
from triollama._errors import ConfigError
from triollama._runtime import Runtime


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
    finally:
        runtime.facts.close()
    if error is not None:
        raise error


def _fleet(endpoints: Sequence[str | EndpointConfig]) -> list[EndpointConfig]:
    given = endpoints or (host_from_environment(os.environ.get("OLLAMA_HOST")),)
    fleet = [as_endpoint(each) for each in given]
    for place, each in enumerate(fleet):
        for other in fleet[:place]:
            if each.url == other.url or each.name == other.name:
                raise ConfigError(f"the endpoint {each.name!r} ({each.url}) is given twice")
    return fleet
