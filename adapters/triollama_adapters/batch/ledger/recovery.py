"""What to do about files that are not as the journal says. Decisions only, no IO.

The journal is written last, so what it says was in the files once. Bytes that it does not know are
cut off. Of bytes that it knows but that are no longer there or no longer the same, everything from
the first such record on is cut off and forgotten: those rows are asked again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from triollama_adapters.batch.ledger.frames import Frame, Mark, Span

__all__ = [
    "KEPT_FROM_BYTES",
    "VERIFIED_BYTES",
    "VERIFIED_RECORDS",
    "Cuts",
    "Recovery",
    "first_bad",
    "shortened",
]

VERIFIED_BYTES: Final = 1 << 20
"""How much of the files' end is compared with its checksums when they are opened, with
`VERIFIED_RECORDS`: a power cut harms what was written last. More, where some of it is damaged."""

VERIFIED_RECORDS: Final = 1_000

KEPT_FROM_BYTES: Final = 1 << 20
"""Bytes that the journal does not know are thrown away: a commit was cut short. More than this is
too much for one commit, so a copy is kept, as of everything that had been acknowledged."""


@attrs.frozen(kw_only=True)
class Recovery:
    """What was done when the files were opened.

    Attributes:
        cut_bytes: that were cut off the two files.
        missing: files of which the journal knows records, and in which there is nothing now.
        forgotten_rows: that had been acknowledged and are new again.
        is_rebuilt: whether the journal was made anew from the files; then changed rows of the input
            are not noticed, and tokens are those that the records tell.
        put_aside: the journal that could not be read, under its new name.
        kept: copies of what was cut off.
    """

    cut_bytes: int = 0
    forgotten_rows: int = 0
    missing: tuple[Path, ...] = ()
    is_rebuilt: bool = False
    put_aside: Path | None = None
    kept: tuple[Path, ...] = ()


@attrs.frozen
class Cuts:
    """The lengths to which the files are cut.

    Attributes:
        answers: of the answers, in bytes.
        errors: of the errors, in bytes.
    """

    answers: int
    errors: int


def first_bad(marks: Iterable[Mark], start: int, data: bytes) -> int | None:
    """Where the first record begins that is not what was written; None if all are.

    Args:
        marks: the records that should be there, in order, of one file.
        start: where the first one begins in the file.
        data: what the file holds from there; may be too short.
    """
    at = 0
    for mark in marks:
        if zlib.crc32(data[at : at + mark.size]) != mark.crc or len(data) < at + mark.size:
            return start + at
        at += mark.size
    return None


def shortened(before: Frame, frame: Frame, cuts: Cuts) -> Frame:
    """A group without the records that are cut off.

    Args:
        before: the group before it, shortened already.
        frame: the group.
        cuts: the files' new lengths.
    """
    answers = [mark for mark in frame.marks if not mark.kind]
    errors = [mark for mark in frame.marks if mark.kind]
    kept = {
        mark.number
        for marks, span, cut in (
            (answers, frame.answers, cuts.answers),
            (errors, frame.errors, cuts.errors),
        )
        for mark in _within(marks, span.start, cut)
    }
    marks = tuple(mark for mark in frame.marks if mark.number in kept)
    totals = before.totals.without_failed() if frame.is_reset else before.totals
    return attrs.evolve(
        frame,
        answers=_clipped(frame.answers, cuts.answers),
        errors=_clipped(frame.errors, cuts.errors),
        marks=marks,
        totals=totals.plus(marks, frame.kinds),
    )


def _within(marks: Iterable[Mark], at: int, cut: int) -> Iterable[Mark]:
    for mark in marks:
        at += mark.size
        if at > cut:
            return
        yield mark


def _clipped(span: Span, cut: int) -> Span:
    return Span(min(span.start, cut), min(span.end, cut))
