"""Does the engine find out how many requests a server works on at once, and keep it busy?"""

from __future__ import annotations

from functools import partial

import attrs
import trio

from benchmarks.figures import Bar
from benchmarks.plan import MODEL
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.virtual import run_virtual
from triollama import Engine, open_engine
from triollama_adapters.simulator import SimulatedFleet, Simulator, SimulatorConfig, open_fleet

SLOTS = (1, 2, 4, 8)

ASKERS = 10 * sum(SLOTS)
"""Who ask one question after the other: the engine's line is never empty."""

LEARN_S, WATCH_S = 60.0, 60.0
"""What is learnt is looked at all the time from 60 virtual seconds on."""

LOOK_S = 0.05
"""Between two looks at the slots, in virtual seconds; an answer takes some 2 s."""

SERVER = SimulatorConfig(answer_tokens_min=60, answer_tokens_max=200)

_WHAT = f"simulated servers with {', '.join(map(str, SLOTS))} slots, under demand"

TRIAL = Trial(
    name="slots",
    rows=(
        TrialRow(
            "slots",
            f"{_WHAT}: the largest error of what is learnt, after {LEARN_S:.0f} virtual s",
            "error",
            "slots",
            Bar(1),
            (("mean error", "slots"),),
        ),
        TrialRow(
            "busy",
            f"{_WHAT}: share of the slots' time that is used, after {LEARN_S:.0f} virtual s",
            "busy",
            "of the time",
            Bar(0.95, is_at_least=True),
            (("busy while learning", "of the time"), ("answers", "answers")),
        ),
    ),
    repetitions_max=1,
    run_s=15.0,
    deadline_s=240.0,
    is_timeless=True,
)


@attrs.define
class Watched:
    """What was seen.

    Attributes:
        errors: What was learnt less what is true, without its sign, for each server at each look.
        used: Slots that worked, over all looks.
        there: Slots that were there, over all looks.
        idle_lines: Looks at which nobody waited in the engine's line.
    """

    errors: list[int] = attrs.field(factory=list)
    used: int = 0
    there: int = 0
    idle_lines: int = 0

    @property
    def busy(self) -> float:
        """The share of the slots that worked."""
        return self.used / self.there


def run(seed: int) -> Finding:
    """Learn for a minute, then watch for another one."""
    return run_virtual(partial(_run, seed), seed)


async def _run(seed: int) -> Finding:
    servers = {
        f"http://slots{count}:11434": attrs.evolve(SERVER, num_parallel=count, seed=seed)
        for count in SLOTS
    }
    async with (
        open_fleet(servers) as fleet,
        open_engine(*servers, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        for number in range(ASKERS):
            nursery.start_soon(_ask, engine, number)
        learning = await _watch(engine, fleet, LEARN_S)
        watched = await _watch(engine, fleet, WATCH_S)
        answers = engine.statistics().done
        nursery.cancel_scope.cancel()
    idle = watched.idle_lines
    faults = (f"nobody was in line at {idle} looks",) if idle else ()
    figures = {
        "error": float(max(watched.errors)),
        "mean error": sum(watched.errors) / len(watched.errors),
        "busy": watched.busy,
        "busy while learning": learning.busy,
        "answers": float(answers),
    }
    return Finding(figures, faults)


async def _ask(engine: Engine, number: int) -> None:
    turn = 0
    while True:
        turn += 1
        await engine.chat(MODEL, f"Question {turn} of {number}: who is next?")


async def _watch(engine: Engine, fleet: SimulatedFleet, seconds: float) -> Watched:
    watched = Watched()
    until_s = trio.current_time() + seconds
    while trio.current_time() < until_s:
        await trio.sleep(LOOK_S)
        numbers = engine.statistics()
        watched.idle_lines += not numbers.pool.waiting
        for url, endpoint, slots in zip(fleet.urls, numbers.endpoints, SLOTS, strict=True):
            learnt = sum(endpoint.slots.values())  # there is one model
            watched.errors.append(abs(learnt - slots))
            watched.used += _used(fleet.simulator(url), slots)
            watched.there += slots
    return watched


def _used(simulator: Simulator, slots: int) -> int:
    """Slots that work at this moment; none while the model is being loaded."""
    runners = simulator.scheduler.runners.values()
    return sum(slots - runner.free for runner in runners)
