"""Two targets compared in one run, in short windows that alternate.

What changes over an hour (a neighbour's load, heat, a cache that fills) would be taken for a
difference of two runs that follow one another. Windows that alternate have their share of it both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import trio
from msgspec.structs import replace

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.measures.pairs import compare_pairs
from triollama_adapters.loadtest.plan import Plan, Target
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import AbFound, Pair
from triollama_adapters.loadtest.search.pooling import pool
from triollama_adapters.loadtest.search.runs import Run

__all__ = ["FIGURES", "interleave", "orders"]

FIGURES: Final = ("ttft_p50", "ttft_p95", "tpot_p50", "e2e_p50", "e2e_p95", "completed", "errors")
"""What each window is held against its partner by."""

_MORE_IS_BETTER: Final = ("completed",)


async def interleave(
    plan: Plan,
    a: Target,
    b: Target,
    run: Run,
    *,
    pairs: int = 10,
    names: tuple[str, str] = ("A", "B"),
    on_pair: Callable[[Pair], None] | None = None,
    stop: trio.Event | None = None,
) -> AbFound:
    """Give two targets the same load in turn; a window is as long as `Plan.duration_s`.

    Both windows of a pair have the same schedule, the next pair has another one. Which side comes
    first is drawn from the seed: each side is first in half of the pairs, so that neither always
    finds what the other has left behind.

    Args:
        plan: the load; its target does not count. Its warm-up and drain are those of each window.
        a: one side.
        b: the other.
        run: lets a plan happen.
        pairs: windows of each side, at least 1.
        names: of the sides.
        on_pair: told of each pair when it is over.
        stop: when it is set, no further window is begun. A pair that is not whole does not count,
            unless it is the first.

    Raises:
        PlanError: there are no pairs.
    """
    if pairs < 1:
        raise PlanError(f"an A/B needs at least one pair of windows, not {pairs}", field="pairs")
    found: list[Pair] = []
    sides: tuple[list[Result], list[Result]] = ([], [])
    for index, is_a_first in enumerate(orders(pairs, plan.seed)):
        if stop is not None and stop.is_set() and index:
            break
        same = replace(plan, seed=plan.seed + index)
        results: dict[str, Result] = {}
        for side in "ab" if is_a_first else "ba":
            results[side] = await run(replace(same, target=a if side == "a" else b))
        if index and any(each.is_stopped for each in results.values()):
            break
        sides[0].append(results["a"])
        sides[1].append(results["b"])
        pair = Pair(index, is_a_first, same.seed, figures(results["a"]), figures(results["b"]))
        found.append(pair)
        if on_pair is not None:
            on_pair(pair)
    first, second = pool(sides[0], names[0]), pool(sides[1], names[1])
    return AbFound(
        a=first,
        b=second,
        pairs=tuple(found),
        wins=wins(found),
        is_stopped=len(found) < pairs,
        differences=compare_pairs(first, second, list(zip(*sides, strict=True))),
    )


def orders(pairs: int, seed: int) -> list[bool]:
    """For each pair whether A comes first: in half of them, drawn from the seed."""
    first = [index % 2 == 0 for index in range(pairs)]
    random.Random(f"ab/{seed}").shuffle(first)  # noqa: S311 - an order, no secret
    return first


def figures(result: Result) -> dict[str, float | None]:
    """The figures of a window that it has, by name."""
    told: dict[str, float | None] = dict.fromkeys(FIGURES)
    for name in FIGURES:
        metric, _, percentile = name.partition("_")
        found = result.metrics.get(metric)
        value = found.percentiles.get(percentile) if found is not None else None
        told[name] = None if value is None else value.value
    told["completed"] = result.rates.completed
    if result.counts.scheduled:
        told["errors"] = sum(result.counts.errors.values()) / result.counts.scheduled
    return told


def wins(pairs: Sequence[Pair]) -> dict[str, tuple[int, int]]:
    """For each figure in how many pairs A and B were better; ties, and what is not told, do not."""
    counted = {}
    for name in FIGURES:
        both = [(pair.a[name], pair.b[name]) for pair in pairs]
        known = [(a, b) for a, b in both if a is not None and b is not None]
        if known:
            below, above = sum(a < b for a, b in known), sum(a > b for a, b in known)
            counted[name] = (above, below) if name in _MORE_IS_BETTER else (below, above)
    return counted
