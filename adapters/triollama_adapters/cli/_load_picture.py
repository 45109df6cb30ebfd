"""A load test while it runs, as a picture for a terminal and as a line for a log. No IO.

Kept cheap: it is drawn by the process that makes the load, between two chunks of somebody's answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from triollama_adapters.loadtest.report.units import show_number, show_s, show_share
from triollama_adapters.loadtest.running.progress import Progress, Stage
from triollama_adapters.words import clock, cut, plain

__all__ = ["Style", "describe_stage", "make_line", "make_picture"]

Style: TypeAlias = Literal["plain", "bold", "dim", "red"]

BAR_COLUMNS_MAX: Final = 40
"""Narrow enough to stand beside its share."""

ENDPOINTS_SHOWN: Final = 8

STAGES: Final[dict[Stage, str]] = {
    "before": "getting ready",
    "warm-up": "warm-up",
    "measuring": "measuring",
    "drain": "drain",
    "over": "over",
}


def make_picture(
    progress: Progress, title: str, width: int, *, stages: tuple[float, float, float]
) -> list[tuple[str, Style]]:
    """Draw how far a run is: lines, none of which is too wide, and how each looks.

    Args:
        progress: as the run tells it.
        title: what the run is called.
        width: columns that there are.
        stages: when the warm-up, the window and the drain end, in seconds from the beginning.
    """
    lines: list[tuple[str, Style]] = [
        (_spread(plain(title), describe_stage(progress), width), "bold"),
        (_bar(progress.at_s, stages, width), "plain"),
        (_counts(progress), "plain"),
        (_rates(progress), "plain"),
        (_times(progress), "plain"),
        (_client(progress), "dim"),
        *((line, "plain") for line in _endpoints(progress.in_flight)),
        *((line, "red") for line in _errors(progress.errors)),
    ]
    return [(cut(line, width), style) for line, style in lines]


def make_line(progress: Progress) -> str:
    """The same in one line."""
    parts = [describe_stage(progress), _counts(progress), _rates(progress), _times(progress)]
    parts += _errors(progress.errors)
    return "; ".join(part for part in parts if part)


def describe_stage(progress: Progress) -> str:
    """Which part of the run it is, and how far: ``measuring 0:23 of 1:05``."""
    at = clock(max(0.0, progress.at_s))
    if progress.stage in ("before", "over"):
        return STAGES[progress.stage]
    return f"{STAGES[progress.stage]} {at} of {clock(progress.until_s)}"


def _bar(at_s: float, stages: tuple[float, float, float], width: int) -> str:
    """The run as a bar: warm-up, window and drain have their own signs."""
    columns = max(10, min(BAR_COLUMNS_MAX, width - 8))
    end_s = stages[1] or 1.0
    done = round(columns * min(1.0, max(0.0, at_s) / end_s))
    warm = round(columns * min(1.0, stages[0] / end_s))
    signs = "".join(
        ("▒" if column < warm else "█") if column < done else ("·" if column < warm else "─")
        for column in range(columns)
    )
    return f"{signs} {min(1.0, max(0.0, at_s) / end_s):4.0%}"


def _counts(progress: Progress) -> str:
    parts = [
        f"{progress.scheduled:,} due",
        f"{progress.ok:,} answered",
        f"{progress.failed:,} failed",
        f"{sum(progress.in_flight.values()):,} in flight",
    ]
    if progress.others:
        # Whose user left, and at the end of the drain those that took too long.
        parts.insert(3, f"{progress.others:,} cut short")
    return "  ".join(parts)


def _rates(progress: Progress) -> str:
    return (
        f"{show_number(progress.ok_per_s)} answered/s  "
        f"{show_number(progress.tokens_per_s)} tokens/s"
    )


def _times(progress: Progress) -> str:
    if progress.ttft_p50_s is None:
        # An embedding has no first token.
        whole_s = progress.e2e_p95_s
        return "TTFT not known yet" if whole_s is None else f"E2E p95 {show_s(whole_s)}"
    return (
        f"TTFT p50 {show_s(progress.ttft_p50_s)}, p95 {show_s(progress.ttft_p95_s)}  "
        f"E2E p95 {show_s(progress.e2e_p95_s)}"
    )


def _client(progress: Progress) -> str:
    late = show_s(progress.start_delay_p99_s)
    lag, busy = show_s(progress.lag_s), show_share(progress.cpu)
    return f"this client: sent late by {late} (p99), lag {lag}, CPU {busy}"


def _endpoints(in_flight: dict[str, int]) -> Sequence[str]:
    """Of several, how many requests each has."""
    if len(in_flight) < 2:
        return ()
    shown = list(in_flight.items())[:ENDPOINTS_SHOWN]
    columns = max(len(name) for name, _ in shown)
    lines = [f"  {plain(name):<{columns}}  {count:>7,} in flight" for name, count in shown]
    more = len(in_flight) - len(shown)
    return [*lines, f"  and {more:,} endpoints more"] if more else lines


def _errors(errors: dict[str, int]) -> Sequence[str]:
    if not errors:
        return ()
    told = sorted(errors.items(), key=lambda each: -each[1])
    return [", ".join(f"{count:,} {kind}" for kind, count in told)]


def _spread(left: str, right: str, width: int) -> str:
    room = max(1, width - len(right) - 2)
    return f"{cut(left, room):<{room}}  {right}"
