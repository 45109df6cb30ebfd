"""Sessions, from a plan and its seed alone. Lazy: a run of a million takes no more memory than one.

Every process of a run draws the same schedule, and takes its own share of it: session ``k`` is for
process ``k % processes``. So the merged arrivals are the same for any number of processes, and
what a session asks depends on the seed and its index alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, islice

from triollama_adapters.loadtest.arrivals.schedule import schedule, within_run
from triollama_adapters.loadtest.arrivals.trace import read_trace
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Plan, Replay
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.workload.lengths import TokenLengths
from triollama_adapters.loadtest.workload.writing import Writer

__all__ = ["make_sessions"]


def make_sessions(
    plan: Plan,
    *,
    process: int = 0,
    lengths: TokenLengths | Mapping[str, TokenLengths] | None = None,
) -> Iterator[Session]:
    """The sessions of one process, in order.

    Open loops and replays have sorted times `at_ns` and an end; those of a closed loop have None
    and go on for ever, and whoever's turn it is takes the next one.

    Args:
        plan: a sound one, see `checks.check_plan`.
        process: which one, from 0 to ``plan.processes - 1``.
        lengths: what a token is, for all models or for each by its name; None, or a model that is
            missing, takes four characters.

    Raises:
        PlanError: a file of prompts or pictures cannot be read, or not as one; before the first.
        TraceError: the trace cannot be read, or not as one.
    """
    writer = Writer(plan.workload, plan.seed, lengths or TokenLengths())
    match plan.shape:
        case ClosedLoop():
            return (writer.write(index) for index in count(process, plan.processes))
        case OpenLoop():
            own = islice(enumerate(schedule(plan)), process, None, plan.processes)
            return (writer.write(index, at_ns) for index, at_ns in own)
        case Replay(path=path, speed=speed):
            rows = within_run(read_trace(path, speed=speed), plan)
            mine = islice(enumerate(rows), process, None, plan.processes)
            return (writer.replay(index, row) for index, row in mine)
