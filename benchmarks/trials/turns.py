"""Several ways to take in the same load, measured in turns of a tenth of a second.

On a shared machine a chunk's cost drifts by more than what is looked for here. So all ways are open
at once, each with a load server of its own, and the servers take turns: one sends, the others are
stopped. What differs between two ways is the median of the differences within a round, which is
over before the machine has drifted far.

A trial that uses it must not be pinned when it starts (``is_alone=False``): servers and readers get
a core each here.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import attrs
import trio
import trio.testing

from benchmarks.figures import SERVED_MIN, SERVER_CPU_MAX
from benchmarks.loads import Load, open_load_server
from benchmarks.measure import STEP_S, Measurement, Meter, Tally
from benchmarks.plan import Plan
from benchmarks.processes import lanes

QUIET_S = 0.01
"""A turn is over when its server was stopped and no task has run for so long, in seconds."""

Way = Callable[[Plan, Tally], Awaitable[None]]
"""Opens everything that the plan names, counting what is open, and reads for ever."""


@attrs.define
class Turns:
    """One way's turns.

    Attributes:
        load: Its load server.
        tally: What it has received.
        windows: What was measured in each of its turns.
        server_cpu_s: The CPU time that the server used in them, in seconds.
    """

    load: Load
    tally: Tally = attrs.field(factory=Tally)
    windows: list[Measurement] = attrs.field(factory=list)
    server_cpu_s: float = 0.0

    @property
    def cpu_us(self) -> float:
        """CPU time per chunk or answer, in microseconds: the median of the turns."""
        return statistics.median(each.cpu_us_each for each in self.windows)

    def beyond(self, other: Turns) -> float:
        """What it costs more than another way: the median of the differences within a round."""
        pairs = zip(self.windows, other.windows, strict=True)
        return statistics.median(one.cpu_us_each - two.cpu_us_each for one, two in pairs)

    def faults(self, name: str) -> list[str]:
        """Return what makes this another load than the plan; empty when nothing does."""
        plan, count = self.load.plan, sum(each.count for each in self.windows)
        elapsed_s = plan.window_s * len(self.windows)
        due = plan.streams * elapsed_s / plan.interval_s
        faults = []
        if not count or count < SERVED_MIN * due:
            faults.append(f"{name}: {count} chunks or answers came, {due:.0f} were due")
        if due and self.server_cpu_s > SERVER_CPU_MAX * elapsed_s:
            faults.append(f"{name}: the load server used its whole core")
        return faults


def take_turns(ways: Mapping[str, Way], plan: Plan, rounds: int) -> dict[str, Turns]:
    """Measure ways in turn.

    Args:
        ways: By name.
        plan: The load of each. Its ``settle_s`` is from the beginning of a turn to that of its
            window: what the server sends first comes all at once.
        rounds: Turns of each.

    Raises:
        RunError: A load server did not start.
    """
    lane = lanes()[0]
    with _pinned(lane.client), ExitStack() as stack:
        loads = {name: stack.enter_context(open_load_server(plan, lane.server)) for name in ways}
        turns = {name: Turns(load) for name, load in loads.items()}
        trio.run(_take_turns, ways, turns, rounds)
    return turns


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """Keep this process on a core for the time of a block."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


async def _take_turns(ways: Mapping[str, Way], turns: Mapping[str, Turns], rounds: int) -> None:
    async with trio.open_nursery() as nursery:
        for name, way in ways.items():
            each, plan = turns[name], turns[name].load.plan
            nursery.start_soon(way, plan, each.tally)
            # Nothing is measured yet, so a poll costs nothing that counts.
            while each.tally.open < (plan.streams or plan.in_flight):  # noqa: ASYNC110
                await trio.sleep(STEP_S)
            each.load.stop()
        for _ in range(rounds):
            for each in turns.values():
                await _take_turn(each)
        for each in turns.values():
            each.load.go_on()
        nursery.cancel_scope.cancel()


async def _take_turn(turns: Turns) -> None:
    meter, load, tally = Meter(), turns.load, turns.tally
    load.go_on()
    await trio.sleep(load.plan.settle_s)
    server_cpu_s = load.cpu_s()
    meter.begin(tally.count)
    await trio.sleep(load.plan.window_s)
    load.stop()
    turns.server_cpu_s += load.cpu_s() - server_cpu_s
    # What was put off, such as the reading of facts, is a part of this price, not of the next.
    await trio.testing.wait_all_tasks_blocked(QUIET_S)
    turns.windows.append(meter.end(tally.count))
