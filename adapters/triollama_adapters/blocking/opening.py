"""`open_engine` and `start_engine` of blocking programs."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Any

import httpx

import triollama
from triollama import EndpointConfig, EngineConfig
from triollama_adapters.blocking.objects import MIRRORS, Closes
from triollama_adapters.blocking.waiting import END_S
from triollama_adapters.portal import Job, Portal
from triollama_adapters.portal.bell import Bell

__all__ = ["EngineOpening", "open_engine", "start_engine"]


class EngineOpening:
    """An engine for the time of a ``with`` block. Made by `open_engine`."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._engine: Closes | None = None

    def __enter__(self) -> Any:
        if self._engine is not None:
            raise RuntimeError("a block is entered once: call open_engine again")
        self._engine = _start(self._portal)
        return self._engine

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._engine is not None
        self._engine.end(at_once=kind is not None)


def open_engine(
    *endpoints: str | EndpointConfig,
    config: EngineConfig | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> EngineOpening:
    """An engine for a fleet, for the time of a ``with`` block.

    It runs in a thread of its own and may be used from any number of threads. When the block is
    left, new requests are refused, and those that other threads still wait for get
    `EngineConfig.grace_s` to end; if it is left by an exception, Ctrl-C included, they are stopped
    at once. Then every socket is closed, and the thread has ended.

    Args:
        endpoints: addresses such as ``http://gpu-1:11434``, or `EndpointConfig`; without any, the
            one that the environment's ``OLLAMA_HOST`` names, or ``http://127.0.0.1:11434``.
        config: clocks and limits.
        transport: carries all requests instead of the engine's own connections, in the engine's
            thread; it stays open.

    Raises:
        ConfigError: on entering the block: an address or a value is not usable.
        EngineFaultError: on leaving it: the engine has failed. Calls got `EngineClosedError`.
    """
    return EngineOpening(_portal(*endpoints, config=config, transport=transport))


def start_engine(
    *endpoints: str | EndpointConfig,
    config: EngineConfig | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Any:
    """An engine that is closed by its ``close()``, or by the end of the program.

    For prompts, notebooks, and web workers, where no block lasts as long as the engine.

    Args: as of `open_engine`.

    Raises:
        ConfigError: an address or a value is not usable.
    """
    return _start(_portal(*endpoints, config=config, transport=transport))


def _portal(*endpoints: str | EndpointConfig, **options: Any) -> Portal:
    return Portal(partial(triollama.open_engine, *endpoints, **options))


def _start(portal: Portal) -> Closes:
    bell = Bell()
    opened: Job[triollama.Engine] = Job(_nothing, bell.ring)
    try:
        portal.start(opened)
        bell.wait(lambda: opened.is_done)
        engine = MIRRORS.wrap(opened.result(), portal)
    except BaseException:
        portal.stop()
        portal.join(END_S)
        raise
    assert isinstance(engine, Closes)
    return engine


async def _nothing() -> triollama.Engine:
    raise AssertionError("it is ended by the portal, and never begun")
