"""Percentiles of durations and sizes in constant memory.

A log-linear histogram: 128 equal buckets between each power of two and the next, so a percentile is
within 1/128 of the true value (half of that on average), however many values were counted. One that
is to be stored can have fewer.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

__all__ = ["Histogram", "codes_of", "edge_of", "nearest_rank", "needed_for", "ranks_for"]

_BITS = 7
"""At most these: `Histogram.record_many` finds a bucket by the first half of a 32-bit float, which
has seven bits of the mantissa."""

_FIRST_HALVES: Final = slice(1 if sys.byteorder == "little" else 0, None, 2)

_TAIL: Final = 0.025
"""Of a 95 % interval, on each side."""

_Z: Final = 1.959963984540054
"""The normal distribution has `_TAIL` beyond it."""

_NORMAL_FROM: Final = 10_000.0
"""Variance of a binomial above which the normal one stands for it: they differ by less than a
rank in a hundred or more."""


class Histogram:  # noqa: PLW1641 - it changes, so that it has no hash
    """Counts positive integers, such as nanoseconds.

    Args:
        bits: there are two to this power of buckets between a power of two and the next; 7 at most.
    """

    __slots__ = ("_bits", "_buckets", "_codes", "_count", "_least", "_most", "_total")

    def __init__(self, bits: int = _BITS) -> None:
        assert 0 <= bits <= _BITS
        self._bits = bits
        self._buckets: Counter[int] = Counter()
        self._codes: Counter[int] = Counter()  # of `record_many`, not yet in buckets
        self._count = 0
        self._total = 0
        self._least = 0
        self._most = 0

    @classmethod
    def restore(
        cls,
        buckets: Iterable[tuple[int, int]],
        *,
        total: int,
        least: int,
        most: int,
        bits: int = _BITS,
    ) -> Histogram:
        """An equal one of what another told.

        Args:
            buckets: its `buckets`.
            total: its `total`.
            least: its `least`.
            most: its `most`.
            bits: as it was made with.
        """
        made = cls(bits)
        made._buckets.update(dict(buckets))
        made._count = sum(made._buckets.values())
        made._total, made._least, made._most = total, least, most
        return made

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self._facts() == other._facts()

    def __repr__(self) -> str:
        return f"<Histogram of {self._count} values within [{self._least}, {self._most}]>"

    @property
    def bits(self) -> int:
        """As it was made with."""
        return self._bits

    @property
    def buckets(self) -> tuple[tuple[int, int], ...]:
        """The lower edge of each bucket that holds something, and how much it holds, by edge."""
        return tuple(sorted(self._settled().items()))

    @property
    def middles(self) -> tuple[tuple[int, int], ...]:
        """The middle of each bucket that holds something, and how much it holds, by edge."""
        return tuple((self._middle(edge), count) for edge, count in self.buckets)

    @property
    def total(self) -> int:
        """The sum of all values, exactly."""
        return self._total

    @property
    def mean(self) -> float | None:
        """The mean, exactly; None if nothing was counted."""
        return self._total / self._count if self._count else None

    @property
    def least(self) -> int:
        """The least value, exactly; 0 if nothing was counted."""
        return self._least

    @property
    def most(self) -> int:
        """The greatest value, exactly; 0 if nothing was counted."""
        return self._most

    def record(self, value: int, count: int = 1) -> None:
        """Count a value; a negative one counts as 0.

        Args:
            value: what is counted.
            count: how often.
        """
        value = max(0, value)
        shift = max(0, value.bit_length() - self._bits - 1)
        self._buckets[value >> shift << shift] += count
        self._note(count, value * count, value, value)

    def record_many(self, values: Sequence[int]) -> None:
        """Count many values at about a fifth of the cost; a negative one counts as 0.

        A value above 2^24 that is less than 6e-8 of itself below the next bucket may count there.

        Args:
            values: what is counted.
        """
        if not values:
            return
        least = min(values)
        if least < 0:
            values = [max(0, value) for value in values]
            least = 0
        self._codes.update(codes_of(values))
        self._note(len(values), sum(values), least, max(values))

    def merge(self, other: Histogram) -> None:
        """Add all that another one counted; it has as many buckets.

        Args:
            other: stays as it is.
        """
        assert other._bits == self._bits, "histograms of two kinds"
        if other._count:
            self._buckets.update(other._settled())
            self._note(other._count, other._total, other._least, other._most)

    def percentile(self, share: float) -> int | None:
        """The least value that at least this share of the counted ones does not exceed.

        Args:
            share: within (0, 1], 0.99 for p99.

        Returns:
            The value, rounded down to its bucket; None if nothing was counted.
        """
        remaining = nearest_rank(self._count, share)
        for value, count in self.buckets:
            remaining -= count
            if remaining <= 0:
                return value
        return None

    def at_ranks(self, ranks: Sequence[int]) -> list[int]:
        """The values at these places among all, sorted.

        Args:
            ranks: ascending, each within [1, number of values].

        Returns:
            The middles of their buckets, within 1/256 of the true ones; the least and the greatest
            value bound them.
        """
        found: list[int] = []
        below = 0
        wanted = iter(ranks)
        rank = next(wanted, None)
        for edge, count in self.buckets:
            below += count
            while rank is not None and rank <= below:
                found.append(self._middle(edge))
                rank = next(wanted, None)
        return found

    def _middle(self, edge: int) -> int:
        width = 1 << max(0, edge.bit_length() - self._bits - 1)
        return min(max(edge + (width - 1) // 2, self._least), self._most)

    def _note(self, count: int, total: int, least: int, most: int) -> None:
        self._least = min(self._least, least) if self._count else least
        self._most = max(self._most, most)
        self._count += count
        self._total += total

    def _facts(self) -> tuple[object, ...]:
        return self._bits, self._total, self._least, self._most, self._settled()

    def _settled(self) -> Counter[int]:
        for code, count in self._codes.items():
            self._buckets[edge_of(code, self._bits)] += count
        self._codes.clear()
        return self._buckets


def codes_of(values: Sequence[int]) -> list[int]:
    """The buckets of some values: their first 16 bits as 32-bit floats.

    Args:
        values: none of them negative.
    """
    return memoryview(array("f", values)).cast("B").cast("H")[_FIRST_HALVES].tolist()


def edge_of(code: int, bits: int = _BITS) -> int:
    """The lower edge of the bucket that a code stands for, or of the coarser one that holds it.

    Args:
        code: one of `codes_of`.
        bits: see `Histogram`.
    """
    exponent, mantissa = (code >> _BITS) - 127, code & ((1 << _BITS) - 1)
    if exponent < 0:
        return 0
    value = ((1 << _BITS) + mantissa) << exponent >> _BITS
    shift = max(0, exponent - bits)
    return value >> shift << shift


def needed_for(share: float) -> int:
    """How many values a percentile needs before its 95 % interval has an upper bound.

    The largest of n values is above the percentile in all but ``share ** n`` of cases, and that
    must be 2.5 % at most: 6 values for the median, 36 for p90, 368 for p99.

    Args:
        share: within (0, 1).
    """
    return math.ceil(math.log(0.025) / math.log(share))


def nearest_rank(count: int, share: float) -> int:
    """The place of a percentile in a sorted list, from 1: the least that has this share up to it.

    Args:
        count: of values, at least 1.
        share: within (0, 1], 0.99 for p99.
    """
    return max(1, math.ceil(round(share * count, 6)))  # 0.55 * 100 is a little more than 55


@lru_cache(maxsize=4096)
def ranks_for(count: int, share: float) -> tuple[int, int | None, int | None]:
    """Where in a sorted list a percentile stands, and its 95 % interval by order statistics.

    The number of values below the true percentile is binomial; each end of the interval misses it
    in at most 2.5 % of cases (Conover, Practical Nonparametric Statistics, 3.2).

    Args:
        count: of values, at least 1.
        share: within (0, 1), 0.99 for p99.

    Returns:
        The nearest rank, from 1; those of the lower and of the upper end, each None if there is
        none.
    """
    rank = nearest_rank(count, share)
    low, high = _tail_ranks(count, share)
    return rank, low or None, high if high <= count else None


def _tail_ranks(count: int, share: float) -> tuple[int, int]:
    """The greatest l with P(B < l) <= 2.5 %, the least u with P(B >= u) <= 2.5 %."""
    variance = count * share * (1 - share)
    middle, spread = count * share, math.sqrt(variance)
    if variance > _NORMAL_FROM:
        return math.floor(middle - _Z * spread), math.ceil(middle + _Z * spread) + 1
    first = max(0, math.floor(middle - 9 * spread - 9))
    chance = math.exp(
        math.lgamma(count + 1)
        - math.lgamma(first + 1)
        - math.lgamma(count - first + 1)
        + first * math.log(share)
        + (count - first) * math.log1p(-share)
    )
    low, below, odds = 0, 0.0, share / (1 - share)
    for successes in range(first, count + 1):
        if below <= _TAIL:
            low = successes
        elif below >= 1 - _TAIL:
            return low, successes
        below += chance
        chance *= (count - successes) / (successes + 1) * odds
    return low, count + 1
