"""The results that `report.write` writes, read again: what `compare` and `publish` work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

MACHINE = ("cores", "processor", "kernel", "python")
"""What of a machine's facts must be the same before figures of two of them say anything."""


FAILED = ("ERROR", "INVALID")
"""Verdicts of rows whose figure, if there is one, is not of what the row names."""


RATE = "per CPU-second"
"""What the units of figures have in them of which more is better."""


class NotResultsError(Exception):
    """A file does not hold results of the benchmarks; the text says which, and why."""


class Figure(msgspec.Struct, frozen=True):
    """A median and its spread; without values where nothing could be measured.

    Attributes:
        median: Of the repetitions.
        low: The least of them.
        high: The greatest of them.
        unit: What it counts, where the row's own unit does not say.
    """

    median: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""


class BarRead(msgspec.Struct, frozen=True):
    """The figure that a row must reach.

    Attributes:
        limit: The figure itself.
        is_at_least: Whether larger is better.
    """

    limit: float
    is_at_least: bool = False

    def show(self) -> str:
        """Return the bar as the tables print it."""
        return f"{'≥' if self.is_at_least else '≤'} {self.limit:g}"


class RowRead(msgspec.Struct, frozen=True):
    """One row.

    Attributes:
        name: What ``--rows`` calls it.
        what: The load, in words.
        measured: Who was measured, or which figure.
        against: Whom it is divided by; ``None`` for an absolute figure.
        unit: What the figure counts.
        bar: The figure to reach.
        value: The figure.
        verdict: How the row ended.
        values: The figure of each repetition; files from before they were written have none.
        absolute: What stands beside it.
        notes: What a reader must know before believing the figure.
    """

    name: str
    what: str
    measured: str
    unit: str
    verdict: str
    against: str | None = None
    bar: BarRead | None = None
    value: Figure | None = None
    values: tuple[float | None, ...] = ()
    absolute: dict[str, Figure] = {}
    notes: tuple[str, ...] = ()

    @property
    def is_more_better(self) -> bool:
        """Whether a larger figure is the better one; without a bar, if it is of rates."""
        if self.bar is not None:
            return self.bar.is_at_least
        units = [self.unit, *(figure.unit for figure in self.absolute.values())]
        return any(RATE in unit for unit in units)

    @property
    def median(self) -> float | None:
        """The figure's median, if there is a figure that means what the row says."""
        if self.value is None or self.verdict in FAILED:
            return None
        return self.value.median

    @property
    def repetitions(self) -> list[float]:
        """The figures of all repetitions that could measure it."""
        return [value for value in self.values if value is not None]


class Document(msgspec.Struct, frozen=True):
    """All results of one run.

    Attributes:
        made: When, as ISO 8601.
        machine: What figures depend on; see `report.machine`.
        rows: All rows, in their order.
    """

    made: str
    machine: dict[str, Any]
    rows: tuple[RowRead, ...]

    def by_name(self) -> dict[str, RowRead]:
        """Return the rows by their names."""
        return {row.name: row for row in self.rows}


def read(path: Path) -> Document:
    """Read a results file.

    Raises:
        NotResultsError: It cannot be read, or it is something else.
    """
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except OSError as error:
        raise NotResultsError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotResultsError(f"{path} is not a results file of the benchmarks: {error}") from error
    if not document.rows:
        raise NotResultsError(f"{path} has no rows")
    return document
