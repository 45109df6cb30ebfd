"""A batch job's figures in words, as its line, its picture and its summary have them. No IO."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from triollama_adapters.batch.figures.eta import TimeLeft
from triollama_adapters.batch.figures.snapshot import Snapshot

__all__ = [
    "count_rows",
    "describe_cost",
    "describe_end_of",
    "describe_left",
    "describe_rows",
    "describe_stopping",
    "money",
    "rate",
    "roughly",
    "share_done",
    "title_of",
]

DIED: Final = "died, or had no room on the disk to say how it ended"
"""The state of a job whose last word is missing: it was killed, or its disk was full."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def roughly(seconds: float) -> str:
    """A duration with two digits that count: ``8 s``, ``3.5 min``, ``12 h``, ``2.1 d``."""
    for unit_s, unit in _UNITS:
        if seconds >= 1.5 * unit_s or unit_s == 1:
            count = seconds / unit_s
            digits = 1 if count < 10 and unit_s > 1 else 0
            return f"{count:.{digits}f} {unit}"
    raise AssertionError("there is a least unit")


def describe_left(left: TimeLeft | None) -> str:
    """How long the rest takes; empty if unknown: ``about 3.5 min left (3.1 min to 4.2 min)``."""
    if left is None or not left.likely_s:
        return ""
    low, likely, high = map(roughly, (left.low_s, left.likely_s, left.high_s))
    return f"about {likely} left" + (f" ({low} to {high})" if low != high else "")


def count_rows(rows: int) -> str:
    """So many rows: ``1 row``, ``1,200 rows``."""
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def describe_stopping(running: int) -> str:
    """What the first Ctrl-C does, with so many rows that are being asked."""
    if running <= 0:
        return "stopping; Ctrl-C again stops at once"
    which = "that runs" if running == 1 else "that run"
    return f"stopping: finishing {count_rows(running)} {which}; Ctrl-C again stops at once"


def describe_rows(shot: Snapshot) -> str:
    """How many rows have an outcome, and of how many."""
    if shot.rows is None:
        return count_rows(shot.settled)
    about = "" if shot.is_rows_known else "about "
    return f"{shot.settled:,} of {about}{count_rows(shot.rows)}"


def describe_end_of(shot: Snapshot) -> str:
    """What a job came to, as far as it is: ``interrupted; 189 rows are left``."""
    left = ""
    if shot.left and shot.state != "complete":
        about = "" if shot.is_rows_known else "about "
        left = f"{about}{count_rows(shot.left)} {'are' if shot.left > 1 else 'is'} left"
    state = DIED if shot.state == "died" else shot.state
    reason = f"{state}: {shot.reason}" if shot.reason else state
    return "; ".join(filter(None, (reason, left)))


def describe_cost(shot: Snapshot) -> str:
    """What the tokens cost; empty without prices. The currency is that of the prices."""
    return "" if shot.cost is None else money(shot.cost)


def money(cost: float) -> str:
    """A cost, with as many digits as say something."""
    return f"{cost:,.2f}" if cost >= 1 else f"{cost:.4f}"


def rate(per_s: float | None) -> str:
    """A rate, with as many digits as can be read."""
    if per_s is None:
        return "-"
    return f"{per_s:,.0f}" if per_s >= 100 else f"{per_s:.1f}" if per_s >= 1 else f"{per_s:.2f}"


def share_done(shot: Snapshot) -> float | None:
    """The share of rows that have an outcome, within [0, 1]; None if unknown."""
    if not shot.rows:
        return None
    return min(1.0, shot.settled / shot.rows)


def title_of(source: str, output: Path) -> str:
    """What a job is called: where it reads, and where it writes."""
    return f"{Path(source).name} -> {output.name}" if source else output.name
