"""Whether an input is still the one that has outcomes: rows that are others now, or are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from triollama_adapters.batch.errors import InputChangedError
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.limits import Progress
from triollama_adapters.batch.work.reading import HOW, Known, Reader, Rows

__all__ = ["AllThere", "Counted", "Remembers", "compare"]


class Remembers(Known, Protocol):
    """Knows which rows an input must have."""

    @property
    def rows_end(self) -> int:
        """One more than the highest number of a row that has an outcome; 0 if none has."""


class Counted(Rows, Protocol):
    """Tells how many rows there were; see `RowSource`."""

    @property
    def rows_end(self) -> int | None:
        """How many rows the input has, all that are left out included; None while unknown."""


class AllThere:
    """The rows of an input that was read before, which may have grown, but not shrunk.

    Args:
        rows: the input.
        rows_end: it has had so many rows at least.
    """

    def __init__(self, rows: Counted, rows_end: int) -> None:
        self._rows = rows
        self._rows_end = rows_end

    @property
    def passed_over(self) -> int:
        """As of the input."""
        return self._rows.passed_over

    def pass_over(
        self, one: Callable[[int, bytes, str], bool], all_: Callable[[int, bytes], bool]
    ) -> None:
        """As of the input."""
        self._rows.pass_over(one, all_)

    async def read(self) -> Sequence[Row] | None:
        """As of the input.

        Raises:
            InputChangedError: it ends before a row that has an outcome.
        """
        rows = await self._rows.read()
        if rows is None and (has := self._rows.rows_end) is not None and has < self._rows_end:
            raise InputChangedError(
                f"the input has changed since: it has {has:,} rows now, and row "
                f"{self._rows_end:,} has an outcome; {HOW}"
            )
        return rows


async def compare(rows: Counted, known: Remembers) -> None:
    """Read an input to its end, and see that each row with an outcome is there and the same.

    Args:
        rows: the input, to be read by nobody else.
        known: what has an outcome.

    Raises:
        InputChangedError: one is another row now, or is gone.
        InputError: the input cannot be read.
    """

    async def leave(_place: int, _row: Row) -> None:
        pass

    whole = AllThere(rows, known.rows_end)
    await Reader(whole, known, Progress(), accepts_changes=False).run(leave)
