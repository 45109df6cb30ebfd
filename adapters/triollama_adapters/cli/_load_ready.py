"""What is found out before a load test: the servers, and what this client itself can do."""

from __future__ import annotations

from typing import IO, Final

import attrs
import trio

from triollama_adapters.cli._load_ending import foretold, rates_of
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.null_server import measure_floor
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.targets.preflight import preflight

__all__ = ["Ready", "get_ready"]

SILENT_S: Final = 2.0
"""How long nothing is said meanwhile: a person wonders then."""

FLOOR_FROM_PER_S: Final = 100.0
"""Rates of a process above this are held against what it can do, which takes some seconds; any
machine does as much."""


@attrs.frozen
class Ready:
    """What is known before the load.

    Attributes:
        facts: of the servers.
        floor_per_s: requests per second of this client against a server that does nothing; None if
            it was not measured.
    """

    facts: Facts
    floor_per_s: float | None = None


async def get_ready(plan: Plan, stderr: IO[str]) -> Ready:
    """Look at the servers and at this client, and say what a user has to know before.

    Args:
        plan: with its servers.
        stderr: where it is said.

    Raises:
        TargetError: a server does not answer, or does not have the model.
    """
    async with trio.open_nursery() as waiting:
        waiting.start_soon(_tell_waiting, plan, stderr)
        ready = Ready(await preflight(plan))
        waiting.cancel_scope.cancel()
    for warning in ready.facts.warnings:
        stderr.write(f"note: {warning}\n")
    if max(rates_of(plan.shape), default=0.0) >= FLOOR_FROM_PER_S * plan.processes:
        stderr.write("measuring what this client can do against a server that does nothing ...\n")
        stderr.flush()
        ready = attrs.evolve(ready, floor_per_s=await measure_floor(plan))
        stderr.write(f"it can do {ready.floor_per_s:,.0f}/s\n")
    if warning := foretold(rates_of(plan.shape), ready.floor_per_s):
        stderr.write(f"warning: {warning}\n")
    stderr.flush()
    return ready


async def _tell_waiting(plan: Plan, stderr: IO[str]) -> None:
    """Say what takes so long: a model that is not loaded yet, most likely."""
    await trio.sleep(SILENT_S)
    names = ", ".join(plan.target.endpoints)
    stderr.write(f"asking {names} a few requests, one at a time; a model may have to load ...\n")
    stderr.flush()
