"""A batch job's figures in one line, for logs and pipes. No IO."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triollama_adapters.batch.figures.snapshot import Snapshot
from triollama_adapters.cli._batch_words import describe_left, describe_rows, rate
from triollama_adapters.words import clock, cut

__all__ = ["COLUMNS_MAX", "make_line"]

COLUMNS_MAX: Final = 100

_BETWEEN: Final = ", "


def make_line(shot: Snapshot) -> str:
    """The figures as one line of `COLUMNS_MAX` characters at most, what people look for first.

    Those at its end that have no room are left out whole.
    """
    told = f"{clock(shot.ran_s)}  "
    first, *rest = _parts(shot)
    told += first
    for part in rest:
        if len(told) + len(_BETWEEN) + len(part) <= COLUMNS_MAX:
            told += _BETWEEN + part
    return cut(told, COLUMNS_MAX)


def _parts(shot: Snapshot) -> Iterator[str]:
    yield describe_rows(shot)
    yield f"{shot.failed:,} failed"
    if shot.state != "running":
        yield shot.state
        return
    yield f"{shot.running:,} running"
    if shot.held:
        yield f"{shot.held:,} held back"
    if shot.waiting:
        yield f"waiting: {shot.waiting}"
    if shot.rows_per_s is not None:
        yield f"{rate(shot.rows_per_s)} rows/s"
        yield f"{rate(shot.tokens_per_s)} tokens/s"
    if left := describe_left(shot.left_s):
        yield left
