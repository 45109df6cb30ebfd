"""How long the rest of a job takes, with a range: from rates, no clock. No IO.

The range says how well the recent past agrees with itself: its middle is what the mean rate gives,
its ends are what two standard errors of that mean give, each part of the recent past counted as one
sample. It is never told as exact: servers change, and so do rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

__all__ = ["TimeLeft", "time_left"]

SAMPLES_MIN: Final = 4
"""Rates of which fewer say nothing about how much they differ."""

DOUBT_MIN: Final = 0.05
"""Of the rate, even if all of them agree."""

RATE_SHARE_MIN: Final = 0.25
"""The slowest that is reckoned with, as a share of the mean rate: beyond that, nobody knows."""

TOTAL_DOUBT: Final = 0.1
"""Of what is left, where the number of rows is itself an estimate."""


class TimeLeft(msgspec.Struct, frozen=True):
    """How long it takes, in seconds.

    Attributes:
        low_s: if all goes well.
        likely_s: at the recent rate.
        high_s: if not.
    """

    low_s: float
    likely_s: float
    high_s: float


def time_left(
    rows: float, rates: Sequence[float], *, is_total_known: bool = True
) -> TimeLeft | None:
    """How long the rest takes; None where nothing can be said.

    Args:
        rows: that are left; 0 takes no time.
        rates: in rows per second, of parts of the recent past that are equally long.
        is_total_known: whether `rows` is counted, not estimated.
    """
    if rows <= 0:
        return TimeLeft(0.0, 0.0, 0.0) if is_total_known else None
    if len(rates) < SAMPLES_MIN or 2 * sum(rate > 0 for rate in rates) < len(rates):
        return None
    mean = statistics.fmean(rates)
    error = statistics.stdev(rates) / len(rates) ** 0.5
    doubt = max(2 * error, DOUBT_MIN * mean)
    slack = 0.0 if is_total_known else TOTAL_DOUBT
    slowest = max(mean - doubt, RATE_SHARE_MIN * mean)
    return TimeLeft(
        low_s=rows * (1 - slack) / (mean + doubt),
        likely_s=rows / mean,
        high_s=rows * (1 + slack) / slowest,
    )
