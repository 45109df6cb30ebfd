"""The servers of a load test, real or simulated, and the model that is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import IO, Final

import attrs

from triollama import EngineError
from triollama_adapters.cli._access import Credentials
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._fleet import FleetWanted, open_fleet
from triollama_adapters.cli._load_plan import NO_MODEL, with_servers
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.simulator import (
    SimulatorConfig,
    SimulatorProcess,
    open_simulator_processes,
)

__all__ = ["SIMULATED", "Servers", "open_servers"]

SIMULATED: Final = SimulatorConfig()
"""What ``--simulate`` starts: a small GPU server with four slots, so that load shows."""

SIMULATED_MODEL: Final = SIMULATED.models[0].name
SIMULATED_EMBEDDER: Final = next(
    each.name for each in SIMULATED.models if "embedding" in each.capabilities
)


@attrs.frozen
class Servers:
    """What a plan is for.

    Attributes:
        plan: with its servers and its model.
        processes: simulated servers, which can be struck.
    """

    plan: Plan
    processes: tuple[SimulatorProcess, ...] = ()


@asynccontextmanager
async def open_servers(plan: Plan, simulate: int, stderr: IO[str]) -> AsyncIterator[Servers]:
    """Start the simulated servers, or find out which model the real ones have.

    Leaving it, also by cancellation, ends the simulated servers.

    Args:
        plan: as `make_plan` gave it.
        simulate: how many servers to start; 0 takes those of the plan.
        stderr: where a server that does not answer is mentioned.

    Raises:
        UnreachableError: no server answered.
        CliError: there is no model, or there are several; or a server could not be started.
    """
    if not simulate:
        yield Servers(with_servers(plan, plan.target.endpoints, await _choose(plan, stderr)))
        return
    model = SIMULATED_EMBEDDER if plan.target.api == "embed" else SIMULATED_MODEL
    async with AsyncExitStack() as stack:
        try:
            started = await stack.enter_async_context(open_simulator_processes(simulate, SIMULATED))
        except EngineError as error:
            raise CliError(str(error)) from error
        urls = [each.url for each in started]
        yield Servers(with_servers(plan, urls, model), tuple(started))


async def _choose(plan: Plan, stderr: IO[str]) -> str:
    """The only model that the servers have, where none was named."""
    if all(each.model != NO_MODEL for each in plan.workload.scenarios):
        return ""
    if plan.target.api == "openai":
        raise CliError("name the model with -m: a gateway of --api openai need not list its own")
    shown = Credentials(headers=plan.target.headers)
    wanted = FleetWanted(endpoints=plan.target.endpoints, credentials=shown)
    async with open_fleet(wanted, stderr) as fleet:
        return fleet.model
