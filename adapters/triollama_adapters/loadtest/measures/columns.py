"""Durations of many requests, each kind in a histogram, at little cost for each request. No IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from triollama_adapters.histogram import Histogram
from triollama_adapters.loadtest.measures.spans import NONE

__all__ = ["Columns", "Stored", "restore", "store"]

ROWS_MAX: Final = 64
"""Rows that wait to be counted together: less costs more for each, more stops the event loop for
longer; with eleven columns these are about 150 µs."""


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A histogram on its way to another process."""

    buckets: tuple[tuple[int, int], ...]
    total: int
    least: int
    most: int
    bits: int


class Columns:
    """A histogram for each column of the rows that are added.

    Args:
        names: of the columns.
        is_signed: whether values below zero are values: they count as 0 in a histogram, but as
            what they are in `totals`. Otherwise they are `NONE` and not counted.
    """

    __slots__ = ("_histograms", "_is_signed", "_names", "_rows", "_totals")

    def __init__(self, names: Sequence[str], *, is_signed: bool = False) -> None:
        self._names = tuple(names)
        self._is_signed = is_signed
        self._rows: list[tuple[int, ...]] = []
        self._histograms = {name: Histogram() for name in names}
        self._totals = dict.fromkeys(names, 0)

    def add(self, row: tuple[int, ...]) -> None:
        """Count a row, a value for each column."""
        rows = self._rows
        rows.append(row)
        if len(rows) >= ROWS_MAX:
            self._fold()

    @property
    def histograms(self) -> Mapping[str, Histogram]:
        """By the names of the columns."""
        self._fold()
        return self._histograms

    @property
    def totals(self) -> Mapping[str, int]:
        """The sum of each column that is signed."""
        self._fold()
        return self._totals

    def merge(self, other: Columns) -> None:
        """Add all that another one counted; it has the same columns."""
        for name, histogram in other.histograms.items():
            self._histograms[name].merge(histogram)
        for name, total in other.totals.items():
            self._totals[name] += total

    def store(self) -> tuple[dict[str, Stored], dict[str, int]]:
        """What `restored` takes."""
        return {name: store(each) for name, each in self.histograms.items()}, dict(self.totals)

    def restored(self, stored: tuple[dict[str, Stored], dict[str, int]]) -> Columns:
        """This one, with what another one stored."""
        for name, each in stored[0].items():
            self._histograms[name] = restore(each)
        self._totals.update(stored[1])
        return self

    def _fold(self) -> None:
        if not self._rows:
            return
        columns: Any = zip(*self._rows, strict=True)
        for name, column in zip(self._names, columns, strict=True):
            values = column
            if self._is_signed:
                self._totals[name] += sum(column)
            elif NONE in column:
                values = [value for value in column if value != NONE]
            self._histograms[name].record_many(values)
        self._rows.clear()


def store(histogram: Histogram) -> Stored:
    """What `restore` takes."""
    return Stored(
        histogram.buckets, histogram.total, histogram.least, histogram.most, histogram.bits
    )


def restore(stored: Stored) -> Histogram:
    """A histogram equal to the one that was stored."""
    return Histogram.restore(
        stored.buckets,
        total=stored.total,
        least=stored.least,
        most=stored.most,
        bits=stored.bits,
    )
