"""The bootstrap, from histograms: what a figure would be if the run were made again. No IO.

Drawing as many values as there were, with replacement, and taking the k-th of them gives the same
as taking the value at a place that is drawn from Beta(k, n - k + 1): the k-th of n even draws is
so distributed (David and Nagaraja, Order Statistics, 2.1). So a draw costs the same for ten values
and for ten million. A mean is drawn from Student's distribution, which it has for normal values,
and nearly has for others once they are some dozens.

Values count as independent. Those of a server under load are not, and the times between the chunks
of one answer still less; so callers say as how many independent ones they count, see `likeness`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Final

from triollama_adapters.histogram import nearest_rank
from triollama_adapters.loadtest.result import Distribution, Interval

__all__ = [
    "DRAWS",
    "draw_mean",
    "draw_mean_of",
    "draw_means_of_blocks",
    "draw_percentile",
    "draw_share",
    "spread",
]

DRAWS: Final = 4_000
"""The ends of a 95 % interval are the 100th from each end; and of fifty figures the clearest change
can still be told from chance, see `differences`."""

_TAIL: Final = 0.025
_BITS: Final = 7
_NS: Final = 1e9


def draw_percentile(
    found: Distribution, share: float, random: Random, *, independent: int | None = None
) -> list[float]:
    """A percentile in seconds, drawn `DRAWS` times.

    Args:
        found: values that were measured, at least one.
        share: within (0, 1), 0.99 for p99.
        random: where chance comes from.
        independent: how many values say as much, knowing nothing of each other; None for all.
    """
    below = list(accumulate(count for _, count in found.buckets))
    middles = [_middle_s(edge, found) for edge, _ in found.buckets]
    count = found.count if independent is None else independent
    rank = nearest_rank(count, share)
    places = (random.betavariate(rank, count - rank + 1) for _ in range(DRAWS))
    return [
        middles[min(len(middles) - 1, bisect_left(below, place * found.count))] for place in places
    ]


def draw_mean(
    found: Distribution, random: Random, *, independent: int | None = None
) -> list[float]:
    """A mean in seconds, drawn `DRAWS` times.

    Args:
        found: values that were measured.
        random: where chance comes from.
        independent: see `draw_percentile`; at least two.
    """
    count, mean = found.count if independent is None else independent, found.mean_s
    squares = sum(each * (_middle_s(edge, found) - mean) ** 2 for edge, each in found.buckets)
    error = math.sqrt(squares / found.count / (count - 1))
    return [max(0.0, mean + error * _student(count - 1, random)) for _ in range(DRAWS)]


def _student(freedom: int, random: Random) -> float:
    """One draw of Student's distribution: a normal one over the root of a mean of squares."""
    return random.gauss() / math.sqrt(random.gammavariate(freedom / 2, 2) / freedom)


def draw_mean_of(values: Sequence[float], random: Random) -> list[float]:
    """The mean of some values that are independent and known one by one, drawn `DRAWS` times.

    Args:
        values: at least two.
        random: where chance comes from.
    """
    count, mean = len(values), math.fsum(values) / len(values)
    error = math.sqrt(math.fsum((each - mean) ** 2 for each in values) / count / (count - 1))
    return [mean + error * _student(count - 1, random) for _ in range(DRAWS)]


def draw_share(count: float, total: float, random: Random) -> list[float]:
    """A share, drawn `DRAWS` times by Jeffreys' rule, so that none of none is not certain.

    Args:
        count: of those that have it; broken where requests that are alike count for less than one
            each.
        total: of how many.
        random: where chance comes from.
    """
    return [random.betavariate(count + 0.5, total - count + 0.5) for _ in range(DRAWS)]


def draw_means_of_blocks(values: Sequence[float], random: Random) -> list[float]:
    """The mean of a series, drawn `DRAWS` times; its error is by blocks of neighbours.

    As neighbours depend on each other, the error is that of the means of blocks. They are as long
    as the cube root of the series (Künsch, 1989), and go round from its end to its beginning, so
    that its ends count as much as all else (Politis and Romano, 1992). Of few blocks the error is
    not well known, so draws are from Student's distribution.

    Args:
        values: at even distances in time, at least one.
        random: where chance comes from.
    """
    count = len(values)
    length = max(1, round(count ** (1 / 3)))
    sums = [0.0, *accumulate([*values, *values[: length - 1]])]
    means = [(sums[begin + length] - sums[begin]) / length for begin in range(count)]
    mean, freedom = math.fsum(values) / count, max(1, count // length - 1)
    error = math.sqrt(math.fsum((each - mean) ** 2 for each in means) / count / freedom)
    return [max(0.0, mean + error * _student(freedom, random)) for _ in range(DRAWS)]


def spread(value: float, draws: Sequence[float]) -> Interval:
    """A figure with the interval that holds 95 % of its draws.

    Args:
        value: as measured.
        draws: at least forty.
    """
    ordered = sorted(draws)
    beyond = math.floor(_TAIL * len(ordered))
    return Interval(value, ordered[beyond], ordered[len(ordered) - 1 - beyond])


def _middle_s(edge: int, found: Distribution) -> float:
    width = 1 << max(0, edge.bit_length() - 1 - _BITS)
    return min(max((edge + (width - 1) / 2) / _NS, found.least_s), found.most_s)
