"""Pairs of windows with the same load -> what differs between their two sides. No IO.

The change of a figure is its mean over the pairs, and its interval comes from how much the pairs
differ: Student's, as for any paired trial. So what hits both windows of a pair alike is no
difference, and requests of a window may depend on each other as they will.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Final

from msgspec.structs import replace

from triollama_adapters.histogram import nearest_rank
from triollama_adapters.loadtest.measures.bootstrap import draw_mean_of
from triollama_adapters.loadtest.measures.compare import COMPARED, draw_figures
from triollama_adapters.loadtest.measures.differences import Difference, Drawn, Unit, judge
from triollama_adapters.loadtest.measures.distributions import NS, PERCENTILES
from triollama_adapters.loadtest.result import Distribution, Result

__all__ = ["PAIRS_MIN", "compare_pairs"]

PAIRS_MIN: Final = 4
"""With fewer, how much pairs differ is hardly known; then requests are compared, not pairs."""


def compare_pairs(
    a: Result,
    b: Result,
    pairs: Sequence[tuple[Result, Result]],
    *,
    metrics: Sequence[str] = COMPARED,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """What differs between two sides that had the same load in turn, figure by figure.

    The figures are those that `compare.compare` has of all windows together.

    Args:
        a: all windows of one side.
        b: all windows of the other.
        pairs: the windows of both, pair by pair.
        metrics: which of `result.METRICS`.
        seed: of the draws.
    """
    random = Random(seed)  # noqa: S311  # draws are no secret
    figures = draw_figures(a, b, metrics, random)
    if len(pairs) >= PAIRS_MIN:
        figures = tuple(_paired(each, pairs, random) for each in figures)
    return judge(figures)


def _paired(drawn: Drawn, pairs: Sequence[tuple[Result, Result]], random: Random) -> Drawn:
    """The same figure with its change by pairs; those without it, or with none of it, are left."""
    values = [
        (one, two)
        for first, second in pairs
        if (one := _value(first, drawn.figure)) is not None
        and (two := _value(second, drawn.figure)) is not None
    ]
    is_share = drawn.unit == "share"
    changes = [
        change for one, two in values if (change := _change(one, two, drawn.unit)) is not None
    ]
    if len(changes) < PAIRS_MIN:
        return replace(drawn, is_enough=False)
    mean, draws = math.fsum(changes) / len(changes), draw_mean_of(changes, random)
    if is_share:
        return replace(drawn, change=mean, changes=draws, is_enough=True)
    return replace(
        drawn, change=math.expm1(mean), changes=[_grown(each) for each in draws], is_enough=True
    )


def _change(one: float, two: float, unit: Unit) -> float | None:
    """From A to B: as a difference, or as the logarithm of a ratio; None if that has none."""
    if unit == "share":
        return two - one
    return math.log(two / one) if one > 0 and two > 0 else None


def _grown(logarithm: float) -> float:
    return math.expm1(min(logarithm, _LOGARITHM_MOST))


_LOGARITHM_MOST: Final = 20.0
"""A draw from very few pairs may be any; half a billion times as much is enough."""


def _value(result: Result, figure: str) -> float | None:
    """A figure of one window; a percentile however few requests there are, pairs tell how sure."""
    counts = result.counts
    if figure == "attainment":
        good = result.attained.good if result.attained is not None else None
        return None if good is None or not counts.scheduled else good / counts.scheduled
    if figure == "errors":
        return sum(counts.errors.values()) / counts.scheduled if counts.scheduled else None
    metric, _, part = figure.rpartition("_")
    if metric not in result.metrics:
        return getattr(result.rates, figure, None)
    found = result.metrics[metric]
    return found.mean_s if part == "mean" else _percentile_s(found, PERCENTILES[part])


def _percentile_s(found: Distribution, share: float) -> float:
    left = nearest_rank(found.count, share)
    for edge, count in found.buckets:
        left -= count
        if left <= 0:
            return min(max(edge / NS, found.least_s), found.most_s)
    return found.most_s
