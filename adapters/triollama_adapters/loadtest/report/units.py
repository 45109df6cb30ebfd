"""Figures as people read them: those of `loadtest.units`, sizes, lengths, intervals. No IO."""

from __future__ import annotations

from typing import Final

from triollama_adapters.loadtest.result import Interval
from triollama_adapters.loadtest.units import (
    NOTHING,
    show_count,
    show_number,
    show_s,
    show_share,
)

__all__ = [
    "NOTHING",
    "show_bytes",
    "show_count",
    "show_duration",
    "show_interval",
    "show_number",
    "show_s",
    "show_share",
]

_SIZES: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def show_duration(seconds: float) -> str:
    """How long something was made to last: ``60 s``, ``5 min``, ``1 h 30 min``."""
    if seconds < 120:
        return f"{show_number(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value)


def show_bytes(count: float) -> str:
    """A size: ``4.5 GiB``."""
    for size, unit in _SIZES:
        if abs(count) >= size:
            return f"{show_number(count / size)} {unit}"
    return f"{count:.0f} B"


def show_interval(interval: Interval | None, *, is_share: bool = False) -> str:
    """The ends of an interval: ``760 ms to 810 ms``; empty where it has none."""
    if interval is None or interval.low is None or interval.high is None:
        return ""
    show = show_share if is_share else show_s
    return f"{show(interval.low)} to {show(interval.high)}"
