"""The reader of a job: gives on the rows of the input that have no outcome yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import attrs

from triollama_adapters.batch.errors import InputChangedError
from triollama_adapters.batch.ledger.standing import Standing
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.limits import Progress

__all__ = ["HOW", "Known", "Reader", "Rows"]

TORN: Final = "LineTorn"
"""The kind of error of a last line that is not complete."""

HOW: Final = "go on with --accept-changes, or begin another output"
"""What to do when an input has changed."""


class Known(Protocol):
    """Knows which rows have an outcome."""

    def standing(self, number: int, digest: bytes) -> Standing:
        """Whether a row has one."""

    def are_known(self, first: int, digests: bytes) -> bool:
        """Whether rows in a row have one from an earlier run; see `Standings.are_known`."""


class Rows(Protocol):
    """Gives the rows of an input that have no outcome; the others are not even parsed."""

    @property
    def passed_over(self) -> int:
        """How many rows so far had one, and were not given."""

    def pass_over(
        self, one: Callable[[int, bytes, str], bool], all_: Callable[[int, bytes], bool]
    ) -> None:
        """Be told which rows have one; see `RowSource.pass_over`."""

    async def read(self) -> Sequence[Row] | None:
        """The next ones, perhaps none; None at the end."""


@attrs.define
class Reader:
    """Reads an input once.

    Args:
        rows: the input.
        known: knows what has an outcome.
        progress: its numbers of what was read.
        accepts_changes: whether rows that have an outcome may have changed since.
    """

    _rows: Rows
    _known: Known
    _progress: Progress
    _accepts_changes: bool = attrs.field(kw_only=True)

    async def run(self, take: Callable[[int, Row], Awaitable[None]]) -> None:
        """Return at the end of the input.

        Args:
            take: is given each row without an outcome and its place among them, and waited for.

        Raises:
            InputError: the input cannot be read.
            InputChangedError: a row that has an outcome is another one now.
        """
        place = 0
        self._rows.pass_over(self._is_done, self._known.are_known)
        while (rows := await self._rows.read()) is not None:
            self._count_passed_over()
            for row in rows:
                self._progress.read += 1
                if not self._is_torn(row):
                    await take(place, row)
                    place += 1
        self._progress.is_read_to_end = True

    def _count_passed_over(self) -> None:
        new = self._rows.passed_over - self._progress.skipped
        self._progress.read += new
        self._progress.skipped += new

    def _is_torn(self, row: Row) -> bool:
        """Whether the input ends within this row: it may be whole when the job is resumed."""
        is_torn = row.error is not None and row.error.kind == TORN
        self._progress.is_torn |= is_torn
        return is_torn

    def _is_done(self, number: int, digest: bytes, place: str) -> bool:
        standing = self._known.standing(number, digest)
        if standing is Standing.CHANGED and not self._accepts_changes:
            raise InputChangedError(
                f"the input has changed since: {place} was answered with other content; {HOW}"
            )
        return standing is not Standing.NEW
