"""The times at which sessions begin, from a shape and a seed alone: never from answers. Lazy.

The warm-up and the measured window are drawn apart, each with the number of sessions that is
expected of it, so that the window offers the rate that was asked for, and the same seed gives the
same window whatever the warm-up. Arrivals of constant rate go on from one to the other.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, takewhile
from typing import Final, assert_never

from msgspec.structs import replace

from triollama_adapters.loadtest.arrivals.draws import constant, gamma, poisson, seeded
from triollama_adapters.loadtest.arrivals.rates import at_rate, expected, fit_phases
from triollama_adapters.loadtest.arrivals.trace import TraceRow, read_trace, survey_trace
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Replay

__all__ = ["expected_sessions", "fit_window", "run_s", "schedule", "times", "within_run"]

_NS: Final = 1_000_000_000


def run_s(plan: Plan) -> float:
    """How long sessions begin: the warm-up and the measured window, in seconds."""
    return plan.warm_up_s + plan.duration_s


def times(shape: OpenLoop | Replay, seed: int) -> Iterator[int]:
    """The times of a shape alone, from its own beginning to its own end, without a warm-up.

    Args:
        shape: when sessions begin.
        seed: of the draws; a trace has none.

    Yields:
        Nanoseconds, sorted.

    Raises:
        TraceError: the trace cannot be read, or not as one.
    """
    match shape:
        case OpenLoop():
            return _draw(shape.phases, shape, seeded(seed, "arrivals", "window"))
        case Replay():
            return (row.at_ns for row in read_trace(shape.path, speed=shape.speed))
        case _:
            assert_never(shape)


def schedule(plan: Plan) -> Iterator[int]:
    """The times at which the sessions of a run begin; every process draws the same ones.

    An open loop's phases begin with the measured window. The warm-up has the rate of their
    beginning; phases that are too short go on with their last rate, and those that are too long are
    cut off. A trace begins with the run, and is cut off at the end of the window.

    Args:
        plan: of an open loop or a replay.

    Yields:
        Nanoseconds from the run's beginning on, sorted, below ``warm_up_s + duration_s``.

    Raises:
        TraceError: the trace cannot be read, or not as one.
        ValueError: a closed loop has no schedule, see `closed.starts_ns`.
    """
    shape = plan.shape
    match shape:
        case ClosedLoop():
            raise ValueError("a closed loop has no schedule: its sessions begin when others end")
        case OpenLoop():
            return _open(plan, shape)
        case Replay():
            return (
                row.at_ns for row in within_run(read_trace(shape.path, speed=shape.speed), plan)
            )
        case _:
            assert_never(shape)


def within_run(rows: Iterable[TraceRow], plan: Plan) -> Iterator[TraceRow]:
    """The rows of a trace that begin before the run's schedule ends."""
    end_ns = round(run_s(plan) * _NS)
    return takewhile(lambda row: row.at_ns < end_ns, rows)


def fit_window(plan: Plan) -> Plan:
    """The plan whose window ends with its schedule: where a trace ends before it, so does it.

    Else the rates would be those of a time in which nobody asked. Blocking: reads all of a trace.

    Raises:
        TraceError: the trace cannot be read, or not as one.
        PlanError: it is over before the window begins.
    """
    shape = plan.shape
    if not isinstance(shape, Replay):
        return plan
    long_s = survey_trace(shape.path, speed=shape.speed).length_s
    left_s = long_s - plan.warm_up_s
    if left_s <= 0.0:
        raise PlanError(
            f"warm_up_s is {plan.warm_up_s:g}, and the trace {shape.path} lasts {long_s:g} s at "
            "this speed, which leaves no window; give less warm-up or a lower speed",
            field="warm_up_s",
        )
    return replace(plan, duration_s=left_s) if left_s < plan.duration_s else plan


def expected_sessions(plan: Plan) -> float | None:
    """How many sessions an open loop begins in warm-up and window; None for the other shapes."""
    if not isinstance(plan.shape, OpenLoop):
        return None
    return expected(_warm_up(plan, plan.shape)) + expected(
        fit_phases(plan.shape.phases, plan.duration_s)
    )


def _open(plan: Plan, shape: OpenLoop) -> Iterator[int]:
    before = _warm_up(plan, shape)
    measured = fit_phases(shape.phases, plan.duration_s)
    if shape.arrivals == "constant":
        return _draw((*before, *measured), shape, seeded(plan.seed, "arrivals", "window"))
    begin_ns = round(plan.warm_up_s * _NS)
    window = _draw(measured, shape, seeded(plan.seed, "arrivals", "window"))
    return chain(
        _draw(before, shape, seeded(plan.seed, "arrivals", "warm-up")),
        (begin_ns + at_ns for at_ns in window),
    )


def _warm_up(plan: Plan, shape: OpenLoop) -> tuple[Phase, ...]:
    rate = shape.phases[0].from_per_s
    return (Phase(plan.warm_up_s, rate, rate),) if plan.warm_up_s > 0.0 else ()


def _draw(phases: Sequence[Phase], shape: OpenLoop, draw: random.Random) -> Iterator[int]:
    length = expected(phases)
    match shape.arrivals:
        case "constant":
            points = constant(length)
        case "poisson":
            points = poisson(length, draw)
        case "gamma":
            points = gamma(length, shape.burstiness, draw)
        case _:
            assert_never(shape.arrivals)
    return at_rate(points, phases)
