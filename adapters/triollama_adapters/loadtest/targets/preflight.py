"""`preflight`: what is there, before any load."""

from __future__ import annotations

import httpx

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["preflight"]


async def preflight(
    plan: Plan,
    *,
    calibrate: bool = True,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Facts:
    """Look at every endpoint, and measure each model at a concurrency of one.

    Args:
        plan: whom the load is for.
        calibrate: whether to measure ``R0`` and the tokens of a text; a few small requests for each
            model.
        transport: see `open_target`.

    Raises:
        TargetError: an endpoint does not answer, or does not have a model (with those that it has).
    """
    raise NotImplementedError
