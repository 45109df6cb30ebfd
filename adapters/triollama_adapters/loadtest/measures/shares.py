"""Shares with their 95 % intervals. No IO."""

from __future__ import annotations

import math
from typing import Final

from triollama_adapters.loadtest.result import Interval

__all__ = ["Z", "wilson"]

Z: Final = 1.959963984540054
"""The normal distribution has 2.5 % beyond it."""


def wilson(count: float, total: float) -> Interval:
    """A share with its Wilson score interval, which holds near 0 and 1, too.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.

    Args:
        count: of those that have it; broken where requests that are alike count for less than one
            each.
        total: of all; with 0 the share is 0 and its interval everything.
    """
    if not total:
        return Interval(0.0, 0.0, 1.0)
    share, square = count / total, Z * Z
    middle = share + square / (2 * total)
    spread = Z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    whole = 1 + square / total
    low = 0.0 if count == 0 else max(0.0, (middle - spread) / whole)
    high = 1.0 if count == total else min(1.0, (middle + spread) / whole)
    return Interval(share, low, high)
