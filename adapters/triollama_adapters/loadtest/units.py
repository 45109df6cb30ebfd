"""Figures as people read them: three digits and a unit. No IO."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["NOTHING", "show_count", "show_number", "show_s", "show_share"]

NOTHING: Final = "\N{EN DASH}"
"""Where there is no figure."""

DIGITS: Final = 3
"""As many as a run of a minute can defend."""

_TIMES: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def show_number(value: float) -> str:
    """A number with three digits, and with commas: ``14.2``, ``1,230``; all of its whole part.

    Args:
        value: finite or not; what is not finite is `NOTHING`.
    """
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    places = max(0, DIGITS - 1 - math.floor(math.log10(abs(value)) + 1e-12))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_count(value: int, noun: str = "") -> str:
    """A whole number, with the noun in the plural where it has to be."""
    if not noun:
        return f"{value:,}"
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def show_s(seconds: float | None) -> str:
    """A latency: ``780 ms``, ``1.24 s``, ``45 µs``.

    Args:
        seconds: any; None is `NOTHING`.
    """
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds == 0:
        return "0 ms"
    for size, unit in _TIMES:
        # What would be rounded to 1,000 of the lesser unit belongs to the greater one.
        if abs(seconds) >= size * 0.9995:
            return f"{show_number(seconds / size)} {unit}"
    return "0 ms" if abs(seconds) < 1e-9 else f"{seconds * 1e6:.2g} µs"


def show_share(share: float) -> str:
    """A share as a percentage; 100 % and 0 % are said only of all and of none."""
    percent = 100 * share
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if 99.99 < percent < 100:
        return "> 99.99 %"
    near_an_end = percent < 10 or percent > 90
    text = f"{percent:.{2 if percent < 1 or percent > 99 else 1 if near_an_end else 0}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"
