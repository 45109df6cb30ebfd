"""`open_target`: an asker for a plan, for the time of a block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.targets.asker import Asker
from triollama_adapters.loadtest.targets.clock import RunClock

__all__ = ["open_target"]


@asynccontextmanager
async def open_target(
    plan: Plan,  # noqa: ARG001 - to come
    clock: RunClock,  # noqa: ARG001
    *,
    transport: httpx.AsyncBaseTransport | None = None,  # noqa: ARG001
) -> AsyncIterator[Asker]:
    """Connections to the plan's endpoints; leaving the block closes them.

    Args:
        plan: whom to ask, and how.
        clock: of the run.
        transport: carries all requests instead of connections of our own; it stays open.

    Raises:
        TargetError: an address is not usable.
    """
    raise NotImplementedError
    yield  # type: ignore[unreachable]
