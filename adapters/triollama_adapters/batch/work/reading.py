"""The reader of a job: gives on the rows of the input that have no outcome yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, runtime_checkable

import attrs

from triollama_adapters.batch.ledger.ledger import Standing
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.changes import row_changed
from triollama_adapters.batch.work.keeping import Ledger
from triollama_adapters.batch.work.limits import Progress

__all__ = ["Overlooking", "Reader", "Rows"]

TORN: Final = "LineTorn"
"""The kind of error of a last line that is not complete."""


class Rows(Protocol):
    """Gives the rows of an input."""

    async def read(self) -> Sequence[Row] | None:
        """The next ones, perhaps none; None at the end."""


@runtime_checkable
class Overlooking(Rows, Protocol):
    """Does not even parse rows that have their outcome.

    Attributes:
        passed_over: how many those were so far.
    """

    passed_over: int

    def pass_over(
        self, one: Callable[[int, bytes, str], bool], all_: Callable[[int, bytes], bool]
    ) -> None:
        """Be told which rows these are; see `RowSource.pass_over`."""


@attrs.define
class Reader:
    """Reads an input once.

    Args:
        rows: the input.
        ledger: knows what has an outcome.
        progress: its numbers of what was read.
        accepts_changes: whether rows that have an outcome may have changed since.
    """

    _rows: Rows
    _ledger: Ledger
    _progress: Progress
    _accepts_changes: bool = attrs.field(kw_only=True)
    _passed_over: int = attrs.field(default=0, init=False)

    async def run(self, take: Callable[[int, Row], Awaitable[None]]) -> None:
        """Return at the end of the input.

        Args:
            take: is given each row without an outcome and its place among them, and waited for.

        Raises:
            InputError: the input cannot be read.
            InputChangedError: a row that has an outcome is another one now.
        """
        place = 0
        if isinstance(self._rows, Overlooking):
            self._rows.pass_over(self._is_done, self._ledger.are_known)
        while (rows := await self._rows.read()) is not None:
            self._count_passed_over()
            for row in filter(self._is_to_do, rows):
                await take(place, row)
                place += 1
        self._progress.is_read_to_end = True

    def _is_to_do(self, row: Row) -> bool:
        self._progress.read += 1
        if self._is_torn(row):
            return False
        is_done = self._is_done(row.number, row.digest, row.place)
        self._progress.skipped += is_done
        return not is_done

    def _count_passed_over(self) -> None:
        if isinstance(self._rows, Overlooking):
            new = self._rows.passed_over - self._passed_over
            self._passed_over += new
            self._progress.read += new
            self._progress.skipped += new

    def _is_torn(self, row: Row) -> bool:
        """Whether the input ends within this row: it may be whole when the job is resumed."""
        is_torn = row.error is not None and row.error.kind == TORN
        self._progress.is_torn |= is_torn
        return is_torn

    def _is_done(self, number: int, digest: bytes, place: str) -> bool:
        standing = self._ledger.standing(number, digest)
        if standing is Standing.CHANGED and not self._accepts_changes:
            raise row_changed(place)
        return standing is not Standing.NEW
