"""Whether a plan can be run: each of its values, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never, get_args

from triollama_adapters.loadtest.arrivals.rates import total_s
from triollama_adapters.loadtest.arrivals.schedule import expected_sessions, fit_window
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import (
    DURATIONS,
    Api,
    ClosedLoop,
    Objective,
    OpenLoop,
    Phase,
    Plan,
    Replay,
    Routing,
    Target,
)
from triollama_adapters.loadtest.workload.limits import (
    choice,
    fail,
    number,
    share,
    text,
    whole,
)
from triollama_adapters.loadtest.workload.scenario_checks import check_workload

__all__ = ["CONCURRENCY_MAX", "PROCESSES_MAX", "RATE_MAX_PER_S", "RUN_S_MAX", "check_plan"]

PROCESSES_MAX: Final = 256
"""No machine here has more cores; each process is an interpreter of 50 MB."""

CONCURRENCY_MAX: Final = 1_000_000
"""More users than addresses have ports, many times over."""

RATE_MAX_PER_S: Final = 1_000_000.0
"""A hundred times what the fastest client here sends."""

RUN_S_MAX: Final = 30 * 86_400.0
"""A month."""

LIMIT_S_MAX: Final = 86_400.0
"""Of the time limits of a request: a day."""


def check_plan(plan: Plan) -> None:
    """See that a plan means something.

    Blocking: a trace is read to its end, so that a fault in it is known before anything is sent;
    files of prompts and pictures are looked for.

    Raises:
        PlanError: it does not; the message names the field, and says what it may be.
        TraceError: the trace of a replay cannot be read, or not as one.
    """
    _check_run(plan)
    _check_target(plan.target)
    check_workload(plan.workload, api=plan.target.api)
    for at, objective in enumerate(plan.objectives):
        _check_objective(objective, f"objectives[{at}]")
    match plan.shape:
        case ClosedLoop():
            _check_closed(plan, plan.shape)
        case OpenLoop():
            _check_open(plan, plan.shape)
        case Replay():
            _check_replay(plan, plan.shape)
        case _:
            assert_never(plan.shape)


def _check_run(plan: Plan) -> None:
    number(plan.duration_s, "duration_s", above=0.0, most=RUN_S_MAX, unit="seconds")
    number(plan.warm_up_s, "warm_up_s", least=0.0, most=RUN_S_MAX, unit="seconds")
    number(plan.drain_s, "drain_s", least=0.0, most=RUN_S_MAX, unit="seconds")
    whole(plan.seed, "seed")
    whole(plan.processes, "processes", least=1, most=PROCESSES_MAX)


def _check_target(target: Target) -> None:
    if not target.endpoints:
        raise PlanError(
            "target.endpoints is empty; it is one address or more", field="target.endpoints"
        )
    for at, endpoint in enumerate(target.endpoints):
        text(endpoint, f"target.endpoints[{at}]", "an address such as http://gpu-1:11434")
    choice(target.api, "target.api", get_args(Api))
    choice(target.routing, "target.routing", get_args(Routing))
    for name in ("connect_s", "first_token_s", "stall_s", "total_s"):
        number(getattr(target, name), f"target.{name}", above=0.0, most=LIMIT_S_MAX, unit="seconds")


def _check_objective(objective: Objective, where: str) -> None:
    choice(objective.metric, f"{where}.metric", (*DURATIONS, "errors"))
    if objective.metric == "errors":
        share(objective.limit, f"{where}.limit")
        if objective.share is not None:
            raise fail(objective.share, f"{where}.share", "None: errors have no percentile")
        return
    number(objective.limit, f"{where}.limit", above=0.0, unit="seconds")
    share(objective.share, f"{where}.share", is_open=True)


def _check_closed(plan: Plan, shape: ClosedLoop) -> None:
    whole(shape.concurrency, "shape.concurrency", least=1, most=CONCURRENCY_MAX)
    number(shape.think_s, "shape.think_s", least=0.0, most=RUN_S_MAX, unit="seconds")
    number(shape.ramp_s, "shape.ramp_s", least=0.0, most=RUN_S_MAX, unit="seconds")
    if shape.ramp_s > plan.warm_up_s:
        what = f"at most the warm-up, {plan.warm_up_s:g}: the window begins with all users there"
        raise fail(shape.ramp_s, "shape.ramp_s", what)
    if plan.processes > shape.concurrency:
        what = f"at most one for each of the {shape.concurrency} users"
        raise fail(plan.processes, "processes", what)


def _check_open(plan: Plan, shape: OpenLoop) -> None:
    choice(shape.arrivals, "shape.arrivals", ("constant", "poisson", "gamma"))
    number(shape.burstiness, "shape.burstiness", least=0.001, most=1e6)
    if shape.burstiness != 1.0 and shape.arrivals != "gamma":
        raise fail(shape.burstiness, "shape.burstiness", f"for gamma, not for {shape.arrivals}")
    if not shape.phases:
        raise PlanError("shape.phases is empty; it is one phase or more", field="shape.phases")
    for at, phase in enumerate(shape.phases):
        _check_phase(phase, f"shape.phases[{at}]")
    _check_lengths(plan, shape.phases)
    count = expected_sessions(plan) or 0.0
    if count < 1.0:
        raise fail(round(count, 6), "shape.phases", "a rate and a time that give one session")


def _check_phase(phase: Phase, where: str) -> None:
    number(phase.duration_s, f"{where}.duration_s", above=0.0, most=RUN_S_MAX, unit="seconds")
    for name in ("from_per_s", "to_per_s"):
        rate = getattr(phase, name)
        number(rate, f"{where}.{name}", least=0.0, most=RATE_MAX_PER_S, unit="sessions per second")


def _check_lengths(plan: Plan, phases: Sequence[Phase]) -> None:
    """The phases fill the window, unless the rate never changes."""
    if all(rate == phases[0].from_per_s for p in phases for rate in (p.from_per_s, p.to_per_s)):
        return
    length_s = total_s(phases)
    if abs(length_s - plan.duration_s) > 1e-6 * plan.duration_s:
        raise PlanError(
            f"shape.phases take {length_s:g} s, and duration_s is {plan.duration_s:g}; "
            "phases that change the rate are as long as the measured window",
            field="shape.phases",
        )


def _check_replay(plan: Plan, shape: Replay) -> None:
    number(shape.speed, "shape.speed", above=0.0, most=1e6)
    text(shape.path, "shape.path", "the path of a trace")
    fit_window(plan)
