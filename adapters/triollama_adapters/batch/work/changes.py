"""Whether an input is still the one that has outcomes: rows that are others now, or are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from triollama_adapters.batch.errors import InputChangedError
from triollama_adapters.batch.ledger.standing import Standing
from triollama_adapters.batch.rows import Row

__all__ = ["AllThere", "Counted", "Known", "compare", "row_changed"]

HOW: Final = "go on with --accept-changes, or begin another output"


class Known(Protocol):
    """Knows which rows have an outcome."""

    @property
    def rows_end(self) -> int:
        """One more than the highest number of a row that has one; 0 if none has."""

    def standing(self, number: int, digest: bytes) -> Standing:
        """What is known of a row."""

    def are_known(self, first: int, digests: bytes) -> bool:
        """Whether rows in a row have one from an earlier run; see `Standings.are_known`."""


class Counted(Protocol):
    """Gives the rows of an input, and tells how many there were; see `RowSource`.

    Attributes:
        passed_over: rows so far that were done before, and are not given.
    """

    passed_over: int

    @property
    def rows_end(self) -> int | None:
        """How many rows the input has, all that are left out included; None while unknown."""

    def pass_over(
        self, one: Callable[[int, bytes, str], bool], all_: Callable[[int, bytes], bool]
    ) -> None:
        """Be told which rows need not be given."""

    async def read(self) -> Sequence[Row] | None:
        """The next ones, perhaps none; None at the end."""


def row_changed(place: str) -> InputChangedError:
    """What is told of a row that has an outcome and is another one now.

    Args:
        place: where it stands.
    """
    return InputChangedError(
        f"the input has changed since: {place} was answered with other content; {HOW}"
    )


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


async def compare(rows: Counted, known: Known) -> None:
    """Read an input to its end, and see that each row with an outcome is there and the same.

    Args:
        rows: the input, to be read by nobody else.
        known: what has an outcome.

    Raises:
        InputChangedError: one is another row now, or is gone.
        InputError: the input cannot be read.
    """

    def is_known(number: int, digest: bytes, place: str) -> bool:
        standing = known.standing(number, digest)
        if standing is Standing.CHANGED:
            raise row_changed(place)
        return standing is not Standing.NEW

    rows.pass_over(is_known, known.are_known)
    whole = AllThere(rows, known.rows_end)
    while await whole.read() is not None:
        pass
