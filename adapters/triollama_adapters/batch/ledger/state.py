"""How far a batch is, for who runs it and for who looks on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from triollama_adapters.batch.errors import JournalBrokenError, LedgerError, NoBatchError
from triollama_adapters.batch.ledger.frames import Frame
from triollama_adapters.batch.ledger.journal import UNREADABLE, About, is_damage
from triollama_adapters.batch.ledger.lock import holder_of
from triollama_adapters.batch.ledger.looking import look_into
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.place import check_kind
from triollama_adapters.batch.ledger.rebuild import foreign_file

__all__ = ["BatchState", "read_state", "state_of"]


@attrs.frozen
class BatchState:
    """How far a batch is, as of its last commit.

    Attributes:
        done: rows that were answered.
        failed: rows that failed for good.
        errors: how many of them with each kind of error.
        input_tokens: of all answers that came, those that do not count included.
        output_tokens: of the same.
        started_s: when it was begun, in seconds since 1970.
        updated_s: when the last group was committed; None before the first.
        input_rows: rows of the input; None while that is not known.
        settings: what it was begun with; None if that was lost.
        notes: what was kept besides; None if there is nothing, or it was lost.
        figures: what was stored of them, for who looks on; None if nothing.
        pid: the process that runs it, for who looks on; 0 if that cannot be named, None if none.
    """

    done: int
    failed: int
    errors: Mapping[str, int]
    input_tokens: int
    output_tokens: int
    started_s: float
    updated_s: float | None
    input_rows: int | None
    settings: Mapping[str, Any] | None = attrs.field(repr=False)
    notes: Mapping[str, Any] | None = attrs.field(repr=False)
    figures: bytes | None = attrs.field(default=None, repr=False, eq=False)
    pid: int | None = attrs.field(default=None, eq=False)

    @property
    def settled(self) -> int:
        """Rows that have an outcome."""
        return self.done + self.failed


async def read_state(output: Path) -> BatchState:
    """How far a batch is, also while another process runs it. Nothing is left beside its files.

    Args:
        output: where its answers are.

    Raises:
        ChoiceError: the output can be no file.
        NoBatchError: there is no journal.
        JournalBrokenError: it is broken; a resume repairs it.
        JournalVersionError: it is of another version.
        LedgerError: it cannot be opened.
    """
    return await trio.to_thread.run_sync(
        _read_state, Paths(output), limiter=trio.CapacityLimiter(1)
    )


def _read_state(paths: Paths) -> BatchState:
    check_kind(paths.output)
    if not paths.journal.exists():
        how = "look for its name"
        if paths.output.exists() and foreign_file(paths) is None:
            how = "begin the batch as the first time, with --go-on, which makes it anew"
        raise NoBatchError(f"there is no batch at {paths.output}: it has no journal; {how}")
    about = None
    try:
        pid = holder_of(paths.lock)
        with look_into(paths.journal, is_held=pid is not None) as journal:
            about = journal.about()
            state = state_of(about, journal.last())
            return attrs.evolve(state, figures=journal.figures(), pid=pid)
    except OSError as error:
        why = error.strerror or error
        raise LedgerError(f"cannot read {paths.journal}: {why}", errno=error.errno) from error
    except UNREADABLE as error:
        if is_damage(error, paths.journal):
            raise _broken(paths, knows_settings=about is not None) from error
        raise LedgerError(f"cannot read {paths.journal}: {error}") from error


def _broken(paths: Paths, *, knows_settings: bool) -> JournalBrokenError:
    how = f"triollama batch resume {paths.output} makes it anew"
    if not knows_settings:
        how = "to make it anew, begin the batch as the first time, with --go-on"
    return JournalBrokenError(f"the journal {paths.journal} cannot be read; {how}")


def state_of(about: About, last: Frame) -> BatchState:
    """How far a batch is whose last group this is."""
    totals = last.totals
    return BatchState(
        done=totals.done,
        failed=totals.failed,
        errors=totals.errors,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        started_s=about.started_s,
        updated_s=last.at_s if last.id else None,
        input_rows=about.input_rows,
        settings=about.settings,
        notes=about.notes,
    )
