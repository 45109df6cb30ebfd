"""Outcomes that are kept: two files that only grow, and a journal that says what is in them.

Owns the output, the file of errors beside it and the journal. A group of outcomes is written in
this order: the answers, and the disk is waited for; the errors, the same; one transaction of the
journal with the rows and the new lengths. Only then is it acknowledged. Whatever dies in between,
the files are longer than the journal says, and the next opening cuts them.

Everything runs in one thread at a time, which is not interrupted once it has begun. After an error
of the disk the ledger takes nothing more: what such an error left behind is known only when the
files are opened again. Bounds: 8¼ bytes of memory for each row with an outcome from an earlier run,
¼ byte for each other (⅛ where none failed), and one group.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import trio

from triollama_adapters.batch.errors import LedgerError
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import Frame, Mark, Span, next_frame
from triollama_adapters.batch.ledger.journal import About
from triollama_adapters.batch.ledger.opening import Opened, create, errors_told, is_begun, resume
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.rebuild import NUMBER_MAX, RECORD_BYTES_MAX
from triollama_adapters.batch.ledger.recovery import Recovery
from triollama_adapters.batch.ledger.settings import plain
from triollama_adapters.batch.ledger.standing import SHORT_BYTES, Answered, Standing, short_digest
from triollama_adapters.batch.ledger.state import BatchState, read_state, state_of

__all__ = [
    "SHORT_BYTES",
    "BatchState",
    "Entry",
    "Ledger",
    "Standing",
    "open_ledger",
    "read_state",
]

T = TypeVar("T")

DISK: Final = Disk()

FIGURES_BYTES_MAX: Final = 1 << 20
"""Of figures: they are written again and again."""

TOKENS_MAX: Final = (1 << 32) - 1
"""What the journal keeps of a count of tokens at most."""


@attrs.frozen
class Entry:
    """The one outcome of one row.

    Attributes:
        number: the row's number in the input, from 0.
        digest: of the row as it was read; 8 bytes or more, of which 8 are kept.
        record: one JSON line with its line end, with ``index`` as the row's number.
        error_kind: why the row failed for good; None for an answer.
        input_tokens: of all answers that came, those that do not count included.
        output_tokens: of the same.
    """

    number: int
    digest: bytes
    record: bytes = attrs.field(repr=False)
    error_kind: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class Ledger:
    """The outcomes of one batch. Made by `open_ledger`.

    Attributes:
        recovery: how the files were repaired when they were opened; None if they were sound.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._limiter = trio.CapacityLimiter(1)
        self._reason: str | None = None
        self._state = state_of(opened.about, opened.last)
        self.recovery: Recovery | None = opened.recovery

    @property
    def state(self) -> BatchState:
        """How far the batch is."""
        return self._state

    @property
    def figures(self) -> bytes | None:
        """What an earlier run stored with `note_figures`; None if nothing."""
        return self._opened.figures

    def standing(self, number: int, digest: bytes) -> Standing:
        """What is known of a row, from memory.

        Args:
            number: the row's number.
            digest: of the row as it is now. Any digest passes after a rebuilt journal, and for rows
                that got their outcome since the ledger was opened.
        """
        return self._opened.standings.of(number, short_digest(digest))

    def are_known(self, first: int, digests: bytes) -> bool:
        """Whether rows in a row all have an outcome from an earlier run, and are the same.

        Args:
            first: the number of the first of them.
            digests: of each the first `SHORT_BYTES` bytes, one after the other.
        """
        return self._opened.standings.are_known(first, digests)

    @property
    def rows_end(self) -> int:
        """One more than the highest number of a row that has an outcome; 0 if none has."""
        return self._opened.standings.end

    def without_failed(self) -> Answered:
        """What is known of rows, as if those that failed were forgotten; to be used at once."""
        return Answered(self._opened.standings.without_failed())

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Keep a group of outcomes: all of them, or none as far as a later opening can tell.

        Not interrupted once it has begun: if it is cancelled, nothing was written.

        Args:
            entries: the group; each row once, and none that has an outcome.

        Raises:
            ValueError: an entry is none that can be kept. Nothing was written.
            LedgerError: the disk failed, or did so before. The group is not acknowledged; the
                next opening tells whether it is in. The ledger takes nothing more.
        """
        await self._run(lambda: self._commit(entries))

    async def retry_failed(self) -> int:
        """Forget the rows that failed, and empty the file of errors; how many there were.

        Cancelled as `commit` is.

        Raises:
            LedgerError: as of `commit`.
        """
        return await self._run(self._retry_failed)

    async def note_input_rows(self, count: int) -> None:
        """Keep how many rows the input has.

        Raises:
            LedgerError: as of `commit`.
        """
        await self._run(lambda: self._note_about(input_rows=count))

    async def note(self, notes: Mapping[str, Any]) -> None:
        """Keep notes beside those there are, or in their place.

        Args:
            notes: JSON values by name; those that are left out stay.

        Raises:
            LedgerError: as of `commit`.
        """
        merged = {**(self._state.notes or {}), **plain(notes)}
        await self._run(lambda: self._note_about(notes=merged))

    async def note_figures(self, data: bytes) -> None:
        """Store figures for who looks on, and for a later run, in place of the former ones.

        Args:
            data: the figures, `FIGURES_BYTES_MAX` at most. Nothing else depends on them.

        Raises:
            ValueError: they are too long.
            LedgerError: as of `commit`.
        """
        if len(data) > FIGURES_BYTES_MAX:
            raise ValueError(f"figures of {len(data):,} bytes are too long to be stored")
        await self._run(lambda: self._opened.journal.set_figures(data))

    # ---- in the thread

    async def _run(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(self._guarded, work, limiter=self._limiter)

    def _guarded(self, work: Callable[[], T]) -> T:
        if self._reason is not None:
            raise LedgerError(f"nothing more is kept, after this: {self._reason}")
        try:
            with errors_told(self._opened.paths.journal):
                return work()
        except LedgerError as error:
            self._reason = str(error)
            raise

    def _commit(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        self._check(entries)
        opened = self._opened
        answers = b"".join([each.record for each in entries if each.error_kind is None])
        errors = b"".join([each.record for each in entries if each.error_kind is not None])
        frame = _frame(opened.last, entries)
        opened.answers.check()
        opened.errors.check()
        try:
            if answers:
                opened.answers.append(answers)
            if errors:
                opened.errors.append(errors)
        except LedgerError:
            # Not after the journal failed: it may know of them all the same.
            opened.answers.withdraw()
            opened.errors.withdraw()
            raise
        opened.journal.append(frame)
        self._took(frame)
        for mark in frame.marks:
            opened.standings.note(mark.number, mark.digest, is_failed=mark.kind != 0)

    def _check(self, entries: Sequence[Entry]) -> None:
        numbers = set()
        for each in entries:
            if not 0 <= each.number <= NUMBER_MAX:
                raise ValueError(f"no row can have the number {each.number}")
            if each.number in numbers or self._opened.standings.has(each.number):
                raise ValueError(f"row {each.number} has an outcome already")
            record = each.record
            is_line = record.endswith(b"\n") and record.find(b"\n") == len(record) - 1
            if not is_line or len(record) > RECORD_BYTES_MAX:
                raise ValueError(f"the record of row {each.number} is not one line")
            numbers.add(each.number)

    def _retry_failed(self) -> int:
        opened, before = self._opened, self._opened.last
        count = before.totals.failed
        if not count:
            return 0
        end = Span(before.answers.end, before.answers.end)
        totals = before.totals.without_failed()
        frame = Frame(before.id + 1, end, Span(0, 0), (), (), totals, time.time(), is_reset=True)
        # First: a file of errors that is too long is cut at the next opening, while one that is
        # too short would be taken for damaged.
        opened.journal.append(frame)
        opened.errors.cut(0)
        opened.standings.forget_failed()
        self._took(frame)
        return count

    def _note_about(self, **changed: Any) -> None:
        about = attrs.evolve(self._opened.about, **changed)
        self._opened.journal.set_about(about)
        self._opened.about = about
        self._state = state_of(about, self._opened.last)

    def _took(self, frame: Frame) -> None:
        self._opened.last = frame
        self._opened.answers.length = frame.answers.end
        self._opened.errors.length = frame.errors.end
        self._state = state_of(self._opened.about, frame)


@asynccontextmanager
async def open_ledger(
    output: Path,
    settings: Mapping[str, Any] | None,
    *,
    is_resumed: bool | None,
    notes: Mapping[str, Any] | None = None,
    accepts_changes: bool = False,
    disk: Disk = DISK,
) -> AsyncIterator[Ledger]:
    """Open the output of a batch, its errors and its journal, for this process alone.

    The files are closed at the end also when that is cancelled. A new batch that ends with an
    error before its first outcome leaves no files; one that is cancelled then leaves them.

    Args:
        output: where the answers are; the other names are made of it.
        settings: what is asked, as JSON values by name, to be compared at a resume; None: those it
            was begun with.
        is_resumed: go on with a batch that exists, rather than begin one; None: whichever it is,
            while a file that no batch wrote is no batch.
        notes: JSON values that are kept as well, but may differ; those that are left out stay.
        accepts_changes: take the settings also if they are others.
        disk: reads and writes.

    Yields:
        The ledger; its `recovery` tells what had to be repaired.

    Raises:
        ChoiceError: the output can be no file.
        OutputExistsError: a new batch would write over something.
        NoBatchError: there is nothing to resume, or a file that is no batch's.
        OutputBusyError: another process has it open.
        SettingsChangedError: they differ.
        JournalVersionError: the journal is of another version.
        LedgerError: the disk does not let it.
    """
    paths = Paths(output)
    wanted = About(
        settings=None if settings is None else plain(settings),
        notes=None if notes is None else plain(notes),
    )

    def open_it() -> Opened:
        if is_resumed if is_resumed is not None else is_begun(paths):
            return resume(paths, wanted, disk, accepts_changes=accepts_changes)
        return create(paths, wanted, disk)

    opened = await trio.to_thread.run_sync(open_it, limiter=trio.CapacityLimiter(1))
    ledger = Ledger(opened)
    end = opened.close
    try:
        yield ledger
    except Exception:
        end = opened.discard
        raise
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(end, limiter=ledger._limiter)  # noqa: SLF001 - our own


def _frame(before: Frame, entries: Sequence[Entry]) -> Frame:
    failed = [each.error_kind for each in entries if each.error_kind is not None]
    kinds = tuple(dict.fromkeys(failed))
    places: dict[str | None, int] = {kind: place for place, kind in enumerate(kinds, 1)}
    marks = tuple([_mark(each, places.get(each.error_kind, 0)) for each in entries])
    return next_frame(before, marks, kinds)


def _mark(entry: Entry, kind: int) -> Mark:
    return Mark(
        entry.number,
        short_digest(entry.digest),
        len(entry.record),
        zlib.crc32(entry.record),
        kind,
        min(entry.input_tokens, TOKENS_MAX),
        min(entry.output_tokens, TOKENS_MAX),
    )
