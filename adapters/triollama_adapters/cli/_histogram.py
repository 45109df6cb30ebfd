"""Percentiles of durations in constant memory.

A log-linear histogram: 128 equal buckets between each power of two and the next, so a percentile is
within 1/128 of the true value (half of that on average), however many durations were counted.
"""

from __future__ import annotations

import math
from collections import Counter

__all__ = ["Histogram"]

_BITS = 7


class Histogram:
    """Counts positive integers, such as nanoseconds."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def record(self, value: int) -> None:
        """Count one value; a negative one counts as 0."""
        self._buckets[_floor(max(0, value))] += 1
        self._count += 1

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


def _floor(value: int) -> int:
    """The lower edge of the value's bucket."""
    shift = max(0, value.bit_length() - _BITS - 1)
    return value >> shift << shift
