"""Whether numbers rise over time, or only vary. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

__all__ = ["BLOCKS", "Z_RISING", "blocks", "mann_kendall", "slope"]

BLOCKS = 10
"""Into so many means a series is drawn together before it is tested: neighbours in a queue are
alike, and the test wants values that are not."""

Z_RISING = 1.96
"""From here on a rise is no chance: it comes about once in 40 series that do not rise."""


def blocks(values: Sequence[float], count: int = BLOCKS) -> list[float]:
    """The means of so many stretches of a series, as equal as can be; all values if it is short."""
    count = min(count, len(values))
    edges = [round(index * len(values) / count) for index in range(count + 1)] if count else [0]
    return [math.fsum(values[start:end]) / (end - start) for start, end in pairwise(edges)]


def mann_kendall(values: Sequence[float]) -> float:
    """How surely a series rises: the score of the Mann-Kendall test, negative if it falls.

    Mann, Nonparametric tests against trend, Econometrica 13 (1945): the number of pairs that rise
    less those that fall, in units of its standard deviation without a trend. Ties count for
    nothing. With less than 5 values it never reaches `Z_RISING`.
    """
    count = len(values)
    rising = sum([(b > a) - (b < a) for a, b in combinations(values, 2)])
    if rising == 0:
        return 0.0
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return (rising - math.copysign(1, rising)) / deviation


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the line of least squares; 0 with less than two different moments."""
    mean_at, mean = math.fsum(at) / max(len(at), 1), math.fsum(values) / max(len(values), 1)
    spread = math.fsum([(x - mean_at) ** 2 for x in at])
    if spread == 0:
        return 0.0
    both = math.fsum([(x - mean_at) * (y - mean) for x, y in zip(at, values, strict=True)])
    return both / spread
