"""Bytes, rates and times of models as people read them. No IO."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from triollama import TransferEvent
from triollama_adapters.words import clock, one_line

__all__ = ["describe_age", "describe_bytes", "describe_event", "describe_rate"]

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")

_AGES: Final = ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400 * 7, "week"))
_DAYS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def describe_bytes(count: float) -> str:
    """A size in powers of 1,000, as Ollama tells it: ``4.7 GB``."""
    for unit in _UNITS:
        if count < 999.5 or unit == _UNITS[-1]:
            digits = 1 if count < 9.95 and unit != "B" else 0
            return f"{count:.{digits}f} {unit}"
        count /= 1_000
    raise AssertionError


def describe_rate(rate_bytes_per_s: float | None) -> str:
    """A rate; empty if it is not known."""
    return "" if rate_bytes_per_s is None else f"{describe_bytes(rate_bytes_per_s)}/s"


def describe_age(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago something was: ``3 days ago``; empty if that is not known.

    Args:
        at: when it was, with its offset.
        now: the present; default: by the clock.
    """
    if at is None:
        return ""
    ago_s = ((now or datetime.now(UTC)) - at).total_seconds()
    for unit_s, unit in (*_AGES, *_DAYS):
        if ago_s >= unit_s:
            count = int(ago_s // unit_s)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def describe_event(event: TransferEvent) -> str:
    """One step as one line: ``pulling 6a0746a1ec1a: 45% of 4.7 GB, 53 MB/s, 0:49 left``."""
    told = one_line(event.status)
    if event.share is None or not event.total:
        return told
    parts = [f"{event.share:.0%} of {describe_bytes(event.total)}"]
    rate = event.rate_bytes_per_s
    if rate and event.completed < event.total:
        left_s = (event.total - event.completed) / rate
        parts += [describe_rate(rate), f"{clock(left_s)} left"]
    return f"{told}: {', '.join(parts)}"
