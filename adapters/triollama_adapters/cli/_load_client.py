"""The options of ``triollama load`` that say who makes the load. No IO."""

from __future__ import annotations

from typing import Annotated, Final

import attrs
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._batch_ray import check_simulated
from triollama_adapters.cli._failures import CliError
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.useful import (
    PROCESSES_MAX,
    check_processes,
    useful_processes,
)
from triollama_adapters.ray.fleet import WORKERS_MAX, RayFleet

__all__ = ["CLIENT", "SELF", "Client"]

CLIENT: Final = Group("Who makes the load", sort_key=4)

AUTO: Final = "auto"


@Parameter(name="*", group=CLIENT)
@attrs.frozen(kw_only=True)
class Client:
    """Who makes the load.

    Attributes:
        processes: Processes that share the schedule, each with its own engine; auto: as many as
            the load needs, and one core is left free. The load is the same with any number.
        ray: Have the load made by workers of a Ray cluster instead: the address of its head, auto,
            or local for workers on this machine.
        ray_workers: So many workers. Default: one for each machine of the cluster.
        seed: Of every draw; the same seed gives the same requests at the same times.
        name: What a comparison and a report call this run. Default: its load.
    """

    processes: str = AUTO
    ray: str | None = None
    ray_workers: Annotated[int | None, Parameter(validator=Number(gte=1, lte=WORKERS_MAX))] = None
    seed: Annotated[int, Parameter(validator=Number(gte=0, lt=2**63))] = 0
    name: str | None = None

    def fleet(self, *, is_simulated: bool = False) -> RayFleet | None:
        """The cluster whose workers make the load; None if it is this machine.

        Args:
            is_simulated: whether the servers are, on this machine.

        Raises:
            CliError: options exclude each other.
            ChoiceError: a value means nothing.
        """
        if self.ray is not None and self.processes != AUTO:
            raise CliError("--processes is of this machine; with --ray give --ray-workers")
        if self.ray is None and self.ray_workers is not None:
            raise CliError("--ray-workers is for a load from Ray; give --ray ADDRESS, too")
        if self.ray is None:
            return None
        if is_simulated:
            check_simulated(self.ray)
        return RayFleet(address=self.ray, workers=self.ray_workers)

    def count(self, plan: Plan) -> int:
        """How many processes make the load of a plan.

        Args:
            plan: of one run.

        Raises:
            CliError: it is neither a number nor auto.
            TraceError: the trace of the plan cannot be read.
        """
        if self.processes == AUTO:
            return useful_processes(plan)
        try:
            return check_processes(int(self.processes))
        except (ValueError, PlanError):
            raise CliError(
                f"--processes takes a number within 1 and {PROCESSES_MAX}, or auto, "
                f"not {self.processes!r}"
            ) from None


SELF: Final = Client()
