"""The curve of latency over throughput: the same load at rising concurrencies or rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import trio
from msgspec.structs import replace

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import Sweep, SweepKind
from triollama_adapters.loadtest.search.knees import power_knee
from triollama_adapters.loadtest.search.runs import Run
from triollama_adapters.loadtest.search.saturation import saturation_of
from triollama_adapters.loadtest.search.steps import at_concurrency, at_rate, unit_of
from triollama_adapters.loadtest.units import show_count

__all__ = ["sweep"]

GAIN_MIN = 0.05
"""A closed loop is full when its throughput gains no more than this share, `FLAT_MAX` times in a
row, though the users were at least `MORE_MIN` times as many."""

FLAT_MAX = 2
MORE_MIN = 1.25


async def sweep(
    plan: Plan,
    kind: SweepKind,
    values: Sequence[float],
    run: Run,
    *,
    stops_when_saturated: bool = True,
    on_point: Callable[[Sweep], None] | None = None,
    stop: trio.Event | None = None,
) -> Sweep:
    """Run a plan at each concurrency or rate, in ascending order.

    It ends early when the server is full: after the first rate that is over-saturated, or when
    twice as many users get no more done twice in a row; and when the load tester does not keep up.

    Args:
        plan: the load.
        kind: what is changed.
        values: users, whole numbers; or sessions per second, for a trace its speed.
        run: lets a plan happen; `runs.watched` makes one that ends over-saturated runs early.
        stops_when_saturated: False runs all values, come what may.
        on_point: told of the curve so far after each run.
        stop: when it is set, no further run is made.

    Raises:
        PlanError: there are no values, or they mean nothing.
    """
    results: list[Result] = []
    ordered = _checked(kind, values)
    curve = _curve(kind, ordered, results, "it was stopped before the first run")
    for index, value in enumerate(ordered):
        if stop is not None and stop.is_set():
            why = f"it was stopped after {show_count(index, 'run')}"
            return _curve(kind, ordered, results, why)
        result = await run(_plan(plan, kind, value, index))
        users = show_count(int(value), "user")
        name = users if kind == "concurrency" else f"{value:g} {unit_of(plan)}"
        results.append(replace(result, name=name))
        curve = _curve(kind, ordered, results, "")
        why = _full(curve) if stops_when_saturated and index + 1 < len(ordered) else ""
        curve = replace(curve, stopped=why)
        if on_point is not None:
            on_point(curve)
        if why:
            break
    return curve


def _checked(kind: SweepKind, values: Sequence[float]) -> tuple[float, ...]:
    if not values:
        raise PlanError(f"a sweep needs at least one {kind}", field="values")
    for value in values:
        if not 0 < value < float("inf"):
            raise PlanError(f"a {kind} must be more than 0, not {value:g}", field="values")
        if kind == "concurrency" and value != int(value):
            raise PlanError(f"a concurrency is a whole number, not {value:g}", field="values")
    return tuple(sorted(set(values)))


def _plan(plan: Plan, kind: SweepKind, value: float, index: int) -> Plan:
    if kind == "concurrency":
        return replace(at_concurrency(plan, int(value)), seed=plan.seed + index)
    return at_rate(plan, value, duration_s=plan.duration_s, seed=plan.seed + index)


def _curve(kind: SweepKind, values: Sequence[float], results: list[Result], stopped: str) -> Sweep:
    values = tuple(values[: len(results)])
    throughput = tuple(result.rates.completed for result in results)
    latency_s = tuple(_latency_s(result) for result in results)
    return Sweep(
        kind=kind,
        values=values,
        throughput=throughput,
        latency_s=latency_s,
        saturated=tuple(saturation_of(result).is_saturated for result in results),
        results=tuple(results),
        knee=power_knee(values, throughput, latency_s),
        stopped=stopped,
    )


def _latency_s(result: Result) -> float | None:
    found = result.metrics.get("e2e")
    return found.mean_s if found is not None and found.count else None


def _full(curve: Sweep) -> str:
    """Why more load is of no use; empty if it may be."""
    value, result = curve.values[-1], curve.results[-1]
    if result.is_stopped and not curve.saturated[-1]:
        return "it was stopped"
    if result.client.validity == "INVALID":
        return f"at {value:g} the load tester was the bottleneck"
    if curve.saturated[-1]:
        return f"at {value:g} the queue grew for as long as the load lasted"
    pairs = list(zip(curve.values, curve.throughput, strict=True))[-FLAT_MAX - 1 :]
    steps = list(pairwise(pairs))
    is_flat = len(steps) == FLAT_MAX and all(
        after[0] >= MORE_MIN * before[0] and after[1] <= (1 + GAIN_MIN) * before[1]
        for before, after in steps
    )
    if curve.kind == "concurrency" and is_flat:
        return f"from {show_count(int(pairs[0][0]), 'user')} on more of them got no more done"
    return ""
