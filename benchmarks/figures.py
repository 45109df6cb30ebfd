"""Arithmetic of the table: medians with their spread, bars, verdicts. No IO."""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Sequence

import attrs

SERVED_MIN = 0.97
"""Below this share of the due chunks a run measured another load than its row names."""

SERVER_CPU_MAX = 0.97
"""From this share of a core upward the load server may have been what was measured."""

SATURATED_MIN = 0.97
"""From this share of a core upward a client reads late, several chunks at once, and so cheaply."""

WAITED_MAX = 0.1
"""Above this share of the time without its core a client's figure is not its own."""


class Verdict(enum.StrEnum):
    """How a row ended.

    ``SHOWN``: there is no bar, only a figure. ``INVALID``: the load was not the one that the row
    names. ``ERROR``: a client did not finish.
    """

    PASS = "PASS"
    MISS = "MISS"
    INVALID = "INVALID"
    ERROR = "ERROR"
    SHOWN = "shown"


@attrs.frozen
class Spread:
    """A median, and the least and greatest value beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value; NaN, which could not be measured, is left out.

        Raises:
            ValueError: There is no value.
        """
        if not values:
            raise ValueError("a spread needs at least one value")
        known = [value for value in values if not math.isnan(value)] or [math.nan]
        return cls(statistics.median(known), min(known), max(known))

    def show(self, unit: str) -> str:
        """Return ``median unit (low to high)``."""
        return f"{digits(self.median)} {unit} ({digits(self.low)} to {digits(self.high)})"


@attrs.frozen
class Bar:
    """The figure that a row must reach.

    Attributes:
        limit: The figure itself; reaching it exactly passes.
        is_at_least: Whether larger is better.
    """

    limit: float
    is_at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether a median reaches the bar; NaN never does."""
        return value >= self.limit if self.is_at_least else value <= self.limit

    def show(self) -> str:
        """Return the bar as the table prints it, without its unit."""
        return f"{'≥' if self.is_at_least else '≤'} {self.limit:g}"


def verdict(spread: Spread | None, bar: Bar | None, *, is_valid: bool) -> Verdict:
    """Return how a row ended.

    Args:
        spread: What was measured; ``None`` when a client did not finish.
        bar: What had to be reached; ``None`` where nothing was asked.
        is_valid: Whether every run that counts saw the load that the row names.
    """
    if spread is None:
        return Verdict.ERROR
    if not is_valid:
        return Verdict.INVALID
    if bar is None:
        return Verdict.SHOWN
    return Verdict.PASS if bar.is_met(spread.median) else Verdict.MISS


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of some values that reaches a share of them (nearest rank).

    Args:
        values: At least one, in any order.
        share: Above 0 and up to 1.
    """
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def digits(value: float | None) -> str:
    """Return a figure with three significant digits, or a large one without a fraction."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
