"""What a batch job came to, as lines. No IO."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from triollama_adapters.batch.figures.snapshot import Snapshot, Spread
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.recovery import Recovery
from triollama_adapters.cli._batch_words import (
    count_rows,
    describe_cost,
    describe_end_of,
    describe_left,
    describe_rows,
    rate,
)
from triollama_adapters.words import clock, cut, plain

__all__ = ["describe_recovery", "make_summary"]

NAME_COLUMNS: Final = 22
CLOCK_FROM_S: Final = 60.0
"""A shorter time is told with its tenths."""

MESSAGE_COLUMNS: Final = 160
"""Of the first message of a kind; the errors file has it whole."""


def make_summary(shot: Snapshot, output: Path) -> Iterator[str]:
    """What a job came to, or how far it is, as lines of a name and a value.

    Args:
        shot: its figures.
        output: where its answers are.
    """
    rows = list(_rows(shot, output))
    columns = max(NAME_COLUMNS, *(len(name) + 2 for name, _ in rows))
    yield from (name.ljust(columns) + value for name, value in rows)


def _rows(shot: Snapshot, output: Path) -> Iterator[tuple[str, str]]:
    yield "rows", f"{describe_rows(shot)}; {describe_end_of(shot)}"
    yield "rows answered", f"{shot.done:,}"
    yield "rows failed", f"{shot.failed:,}"
    for each in shot.failures:
        told = f"{each.rows:,}  first: {plain(each.message) or 'unknown'}"
        yield f"  {plain(each.kind)}", cut(told, MESSAGE_COLUMNS)
    if shot.failed:
        yield "errors in", str(Paths(output).errors)
    if shot.state == "running":
        yield from _running(shot)
    elif shot.cut_off:
        yield "cut off", f"{count_rows(shot.cut_off)}, to be asked again"
    per_s = shot.tokens_per_s_overall
    yield "tokens", f"{shot.output_tokens:,}  (prompts: {shot.input_tokens:,})"
    yield "this run", _took(shot.ran_s, shot.rows_per_s_overall, per_s)
    if cost := describe_cost(shot):
        yield "cost", cost
    for name, spread, unit in (
        ("first token", shot.first_token_ms, " ms"),
        ("latency", shot.latency_ms, " ms"),
        ("tokens per row", shot.tokens, ""),
    ):
        if told := _spread(spread, unit):
            yield name, told
    yield from ((name, f"{rows:,}") for name, rows in _from(shot) if rows > 0)
    yield "answers in", str(output)
    yield from _next(shot, output)


def _from(shot: Snapshot) -> Iterator[tuple[str, int]]:
    """Who gave how many of the answers; all of them together are the rows that were answered."""
    yield from ((f"from {plain(each.endpoint)}", each.rows) for each in shot.lanes)
    yield "from (embeddings)", shot.embedded
    yield "from (earlier runs)", shot.earlier
    if shot.state != "running":  # while it runs, its counts are ahead of who gave them
        known = shot.embedded + shot.earlier + sum(each.rows for each in shot.lanes)
        yield "from (not noted)", shot.done - known


def _next(shot: Snapshot, output: Path) -> Iterator[tuple[str, str]]:
    """What can be done now."""
    if shot.state == "running":
        return
    name = shlex.quote(str(output))
    has_rest = shot.state != "complete" and not (shot.is_rows_known and shot.left == 0)
    if has_rest:
        yield "go on with", f"triollama batch resume {name}"
    if shot.failed:
        yield "failed rows again", f"triollama batch retry-failed {name}"


def _running(shot: Snapshot) -> Iterator[tuple[str, str]]:
    yield "running", f"{shot.running:,}" + (f"  (held back: {shot.held:,})" if shot.held else "")
    if shot.waiting:
        yield "waiting", shot.waiting
    if shot.rows_per_s is not None:
        yield "lately", f"{rate(shot.rows_per_s)} rows/s, {rate(shot.tokens_per_s)} tokens/s"
    elif shot.waiting:
        yield "lately", "nothing"
        yield "time left", "unknown"
    if left := describe_left(shot.left_s):
        yield "time left", left


def _took(seconds: float, rows_per_s: float | None, tokens_per_s: float | None) -> str:
    told = clock(seconds) if seconds >= CLOCK_FROM_S else f"{seconds:.1f} s"
    if not rows_per_s:  # it found everything done, or has just begun
        return told
    return f"{told}  ({rate(rows_per_s)} rows/s, {rate(tokens_per_s)} tokens/s)"


def _spread(spread: Spread, unit: str) -> str:
    told = [
        f"{name} {value:,.{1 if unit else 0}f}{unit}"
        for name, value in (("p50", spread.p50), ("p90", spread.p90), ("p99", spread.p99))
        if value is not None
    ]
    return ", ".join(told)


def describe_recovery(recovery: Recovery) -> str:
    """What had to be done to the files of a job that had died, in one line."""
    told = []
    again = recovery.forgotten_rows
    if recovery.missing:
        names = " and ".join(path.name for path in recovery.missing)
        are, their = ("is", "its") if len(recovery.missing) == 1 else ("are", "their")
        rows = f"{their} {count_rows(again)} {_are(again)} asked again"
        told.append(f"{names} {are} missing or empty: {rows}")
    if recovery.cut_bytes:
        told.append(f"{recovery.cut_bytes:,} bytes that no journal knows are cut off")
    if again and not recovery.missing:
        if not recovery.cut_bytes:
            told.append("the end of the output is missing")
        told.append(f"{count_rows(again)} {_are(again)} asked again")
    if recovery.is_rebuilt:
        told.append("the journal is made anew from the output")
    told += [f"what was there is kept in {path}" for path in recovery.kept]
    if recovery.put_aside is not None:
        told.append(f"the old journal is {recovery.put_aside}")
    return "; ".join(told)


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
