"""Percentiles of durations and sizes in constant memory.

A log-linear histogram: 128 equal buckets between each power of two and the next, so a percentile is
within 1/128 of the true value (half of that on average), however many values were counted. One that
is to be stored can have fewer.
"""

from __future__ import annotations

import math
from collections import Counter

__all__ = ["Histogram", "needed_for"]

_BITS = 7


class Histogram:
    """Counts positive integers, such as nanoseconds.

    Args:
        bits: there are two to this power of buckets between a power of two and the next.
    """

    def __init__(self, bits: int = _BITS) -> None:
        self._bits = bits
        self._buckets: Counter[int] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def buckets(self) -> tuple[tuple[int, int], ...]:
        """The lower edge of each bucket that holds something, and how much it holds, by edge."""
        return tuple(sorted(self._buckets.items()))

    def record(self, value: int, count: int = 1) -> None:
        """Count a value; a negative one counts as 0.

        Args:
            value: what is counted.
            count: how often.
        """
        value = max(0, value)
        shift = max(0, value.bit_length() - self._bits - 1)
        self._buckets[value >> shift << shift] += count
        self._count += count

    def percentile(self, share: float) -> int | None:
        """The least value that at least this share of the counted ones does not exceed.

        Args:
            share: within (0, 1], 0.99 for p99.

        Returns:
            The value, rounded down to its bucket; None if nothing was counted.
        """
        remaining = max(1, math.ceil(share * self._count))
        for value in sorted(self._buckets):
            remaining -= self._buckets[value]
            if remaining <= 0:
                return value
        return None


def needed_for(share: float) -> int:
    """How many values a percentile needs before its 95 % interval has an upper bound.

    The largest of n values is above the percentile in all but ``share ** n`` of cases, and that
    must be 2.5 % at most: 6 values for the median, 36 for p90, 368 for p99.

    Args:
        share: within (0, 1).
    """
    return math.ceil(math.log(0.025) / math.log(share))
