"""The options of ``triollama load`` that let servers fail while the load runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Final

import attrs
from cyclopts import Group, Parameter

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_bench import Bench
from triollama_adapters.cli._load_servers import SIMULATED
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.commands import CommandStriker
from triollama_adapters.loadtest.running.faults import Fault, Striker, parse_fault, resolve
from triollama_adapters.loadtest.running.strikers import open_simulated_striker
from triollama_adapters.loadtest.running.under_faults import run_under_faults
from triollama_adapters.simulator import SimulatorProcess

__all__ = ["UNHARMED", "Harm", "run_with_faults"]

HARM: Final = Group("What fails meanwhile", sort_key=5)


@Parameter(name="*", group=HARM)
@attrs.frozen(kw_only=True)
class Harm:
    """What fails meanwhile.

    Attributes:
        fault: What happens to an endpoint at a moment of the run, the warm-up included: 'kill gpu-1
            at 20s', 'stall gpu-1 at 20s for 5s', 'slow gpu-1 at 20s to 30% for 10s' or 'restart
            gpu-1 at 20s'; repeat it for more. Servers of --simulate are called 1, 2 and so on.
        fault_command: What does it to real servers, such as './strike.sh {act} {host}'; the words
            in braces can be {act}, {endpoint}, {host}, {port} and {percent}.
    """

    fault: Annotated[tuple[str, ...], Parameter(negative_iterable=(), show_default=False)] = ()
    fault_command: str | None = None

    def faults(self) -> tuple[Fault, ...]:
        """What is to happen, with endpoints as the user called them.

        Raises:
            PlanError: one cannot be read; it shows the grammar.
            CliError: there is a command, and nothing that it should do.
        """
        if self.fault_command is not None and not self.fault:
            raise CliError("--fault-command does what --fault says; give that, too")
        return tuple(map(parse_fault, self.fault))

    def check(self, *, is_simulated: bool) -> None:
        """See that somebody can do it.

        Args:
            is_simulated: whether the servers are.

        Raises:
            CliError: nobody can.
            PlanError: a fault or the command cannot be read.
        """
        self.faults()
        if self.fault and not is_simulated and self.fault_command is None:
            raise CliError("--fault of real servers needs --fault-command, which does it to them")
        if self.fault_command is not None:
            CommandStriker.parse(self.fault_command)


UNHARMED: Final = Harm()


async def run_with_faults(bench: Bench, harm: Harm) -> Result:
    """One run; what was done to servers, and what readers saw of it, is among its events.

    Args:
        bench: where it runs.
        harm: what is to happen; nothing is just a run.

    Raises:
        PlanError: a fault is of no endpoint of the run.
        LoadTestError: see `Bench.run`; in a group.
    """
    plan = bench.plan
    faults = resolve(harm.faults(), plan.target.endpoints, names=_names(bench.processes))
    if not faults:
        return await bench.run(plan)
    async with _open_striker(harm, bench.processes) as striker:
        result, _ = await run_under_faults(
            plan, faults, striker, sink=bench.sink, stop=bench.stop, run=bench.run
        )
    return result


@asynccontextmanager
async def _open_striker(
    harm: Harm, processes: Sequence[SimulatorProcess]
) -> AsyncIterator[Striker]:
    if harm.fault_command is not None:
        yield CommandStriker.parse(harm.fault_command)
        return
    async with open_simulated_striker(processes, SIMULATED) as striker:
        yield striker


def _names(processes: Sequence[SimulatorProcess]) -> dict[str, str]:
    """Simulated servers have their numbers for names: their ports are not known before."""
    return {str(number): each.url for number, each in enumerate(processes, 1)}
