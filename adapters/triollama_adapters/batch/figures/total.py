"""How many rows an input has, before it has been read to its end. No IO."""

from __future__ import annotations

from typing import Final

import attrs

from triollama_adapters.batch.ledger.state import BatchState
from triollama_adapters.batch.work.job import Progress

__all__ = ["UNSEEN", "Before", "InputSeen", "before_of", "rows_ahead", "rows_of"]


@attrs.frozen(kw_only=True)
class InputSeen:
    """What is known of an input.

    Attributes:
        given: rows that it has given.
        filtered: records that its filter left out.
        ahead: records that have been read and were not looked at yet.
        read_bytes: how much of it has been read, packed if it is.
        size_bytes: how much there is; None if that cannot be known.
        rows_max: rows that it gives at most; None: all.
    """

    given: int = 0
    filtered: int = 0
    ahead: int = 0
    read_bytes: int = 0
    size_bytes: int | None = None
    rows_max: int | None = None


UNSEEN: Final = InputSeen()
"""Nothing is known of it."""


@attrs.frozen(kw_only=True)
class Before:
    """What a job had before a run.

    Attributes:
        done: rows that were answered.
        failed: rows that had failed, and are not asked again.
    """

    done: int = 0
    failed: int = 0


def rows_ahead(seen: InputSeen) -> int | None:
    """How many rows it will still give, if its rest is as what was read; None if nobody can tell.

    Args:
        seen: what is known of it.
    """
    looked_at = seen.given + seen.filtered
    if seen.size_bytes is None or not seen.read_bytes or not looked_at:
        return None
    read = looked_at + seen.ahead
    records = read * max(1.0, seen.size_bytes / seen.read_bytes) - looked_at
    rows = round(records * seen.given / looked_at)
    return rows if seen.rows_max is None else min(rows, max(0, seen.rows_max - seen.given))


def before_of(state: BatchState, progress: Progress) -> Before:
    """What was there before a run, as the run's first look tells."""
    failed = max(0, state.failed - progress.failed)
    return Before(done=max(0, state.done - progress.answered), failed=failed)


def rows_of(
    state: BatchState, progress: Progress, seen: InputSeen, before: Before
) -> tuple[int | None, bool]:
    """Rows of the whole job, and whether they are counted; None if nobody can tell.

    A group that the journal has is counted in `progress` a moment later, so the two are not mixed.

    Args:
        state: what the journal has.
        progress: how far the run is.
        seen: what is known of the input.
        before: what was there before the run.
    """
    had = before.done + before.failed
    new = max(0, progress.read - progress.skipped)
    if progress.is_read_to_end:
        return had + new, True
    ahead = rows_ahead(seen)
    if state.input_rows is not None:  # counted by an earlier run; it may have grown since
        ahead = max(ahead or 0, state.input_rows - seen.given)
    if ahead is None:
        return None, False
    unmet = max(0, had - progress.skipped)  # they have an outcome from an earlier run
    return had + new + max(0, ahead - unmet), False
