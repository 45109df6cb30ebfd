"""The options of ``triollama load`` that say who makes the load. No IO."""

from __future__ import annotations

import os
from typing import Annotated, Final

import attrs
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._failures import CliError
from triollama_adapters.loadtest.plan import ClosedLoop, Shape

__all__ = ["CLIENT", "PROCESSES_MAX", "SELF", "Client"]

CLIENT: Final = Group("Who makes the load", sort_key=4)

PROCESSES_MAX: Final = 256

AUTO: Final = "auto"


@Parameter(name="*", group=CLIENT)
@attrs.frozen(kw_only=True)
class Client:
    """Who makes the load.

    Attributes:
        processes: Worker processes that share the schedule, each with its own engine; auto: one
            for each core but one. The load is the same with any number.
        seed: Of every draw; the same seed gives the same requests at the same times.
        name: What a comparison and a report call this run. Default: its load.
    """

    processes: str = "1"
    seed: Annotated[int, Parameter(validator=Number(gte=0, lt=2**63))] = 0
    name: str | None = None

    def count(self, shape: Shape) -> int:
        """How many processes.

        Args:
            shape: of the load; each process has one user of a closed loop at least.

        Raises:
            CliError: it is neither a number nor auto.
        """
        if self.processes == AUTO:
            cores = max(1, _cores() - 1)
            return min(cores, shape.concurrency) if isinstance(shape, ClosedLoop) else cores
        try:
            count = int(self.processes)
        except ValueError:
            count = 0
        if not 1 <= count <= PROCESSES_MAX:
            raise CliError(
                f"--processes takes a number within 1 and {PROCESSES_MAX}, or auto, "
                f"not {self.processes!r}"
            )
        return count


SELF: Final = Client()


def _cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
