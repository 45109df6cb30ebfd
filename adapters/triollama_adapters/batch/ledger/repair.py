"""Makes a batch's two files agree with its journal, and reads the journal. In the ledger's thread.

What is decided stands in `recovery`; here it is carried out, in this order: what was acknowledged
and is to be cut off is copied; the journal forgets it; the files are cut. A crash in between leaves
files that are longer than the journal says, which the next opening cuts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from triollama_adapters.batch.ledger.frames import NOTHING, Frame, Mark, Span
from triollama_adapters.batch.ledger.journal import Journal
from triollama_adapters.batch.ledger.output_file import OutputFile
from triollama_adapters.batch.ledger.recovery import (
    KEPT_FROM_BYTES,
    VERIFIED_BYTES,
    VERIFIED_RECORDS,
    Cuts,
    Recovery,
    first_bad,
    shortened,
)
from triollama_adapters.batch.ledger.standing import Standings

__all__ = ["load", "repair"]


def load(journal: Journal) -> tuple[Standings, Frame]:
    """All rows that have an outcome, and the last group, without its marks."""
    standings, last = Standings(), NOTHING
    for last, rows in journal.outlines():
        if last.is_reset:
            standings.forget_failed()
        standings.add(rows)
    return standings, last


def repair(
    journal: Journal, last: Frame, answers: OutputFile, errors: OutputFile, *, keeps_all: bool
) -> Recovery:
    """Make the two files agree with the journal.

    Args:
        journal: a sound one.
        last: its last group.
        answers: the file of answers.
        errors: the file of errors.
        keeps_all: whether a copy is made of all that is cut off.
    """
    files = ((answers, last.answers.end), (errors, last.errors.end))
    missing = tuple(file.path for file, end in files if end and not file.size())
    firsts, cuts = [], []
    for file, end in files:
        first, cut = _verify(journal, file, end, is_errors=file is errors)
        firsts.append(first)
        cuts.append(cut)
    kept = tuple(
        file.keep_from(cut)
        for (file, end), cut in zip(files, cuts, strict=True)
        if file.size() > cut and (cut < end or keeps_all or file.size() - cut > KEPT_FROM_BYTES)
    )
    forgotten = 0
    first = min((first for first in firsts if first is not None), default=None)
    if first is not None:
        now = journal.rewrite(first, partial(_shorten, cuts=Cuts(*cuts))).totals
        forgotten = last.totals.done + last.totals.failed - now.done - now.failed
    cut_bytes = 0
    for (file, _), cut in zip(files, cuts, strict=True):
        cut_bytes += max(0, file.size() - cut)
        file.cut(cut)
    return Recovery(cut_bytes=cut_bytes, forgotten_rows=forgotten, missing=missing, kept=kept)


def _shorten(before: Frame, frame: Frame, *, cuts: Cuts) -> Frame:
    return shortened(before, frame, cuts)


def _verify(
    journal: Journal, file: OutputFile, end: int, *, is_errors: bool
) -> tuple[int | None, int]:
    """Read the end of a file; the first group with a bad record, and where that record begins.

    Goes back until `VERIFIED_BYTES` or `VERIFIED_RECORDS` in a row are good, in whole groups; one
    without records of this file counts as one record, so that a file that hardly grows costs
    little.
    """
    first, cut, size, records = None, end, 0, 0
    for frame, span, marks in _groups_of(journal, is_errors=is_errors):
        if span.end == 0 or size >= VERIFIED_BYTES or records >= VERIFIED_RECORDS:
            break
        bad = first_bad(marks, span.start, file.read(span.start, span.end - span.start))
        if bad is not None:
            first, cut, size, records = frame.id, bad, 0, 0
        else:
            size += span.end - span.start
            records += max(1, len(marks))
    return first, cut


def _groups_of(journal: Journal, *, is_errors: bool) -> Iterator[tuple[Frame, Span, list[Mark]]]:
    for frame in journal.frames_backwards():
        marks = [mark for mark in frame.marks if (mark.kind != 0) is is_errors]
        yield frame, frame.errors if is_errors else frame.answers, marks
        if is_errors and frame.is_reset:
            return
