"""The results that `report.write` writes, read again: what `compare` and `publish` work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmarks.figures import Bar, Verdict
from benchmarks.processes import ROOT
from benchmarks.result import Client, Kind

MACHINE = ("cores", "processor", "kernel", "python")
"""What of a machine's facts must be the same before figures of two of them say anything."""


LATEST = ROOT / "benchmarks" / "results" / "latest.json"
"""Where a run's results are written, and read, if nothing else is said."""

LATEST_LOAD = LATEST.with_name("load.json")
"""The same of the suite of the load tester."""

FAILED = (Verdict.ERROR, Verdict.INVALID)
"""Verdicts of rows whose figure, if there is one, is not of what the row names."""


class NotResultsError(Exception):
    """A file does not hold results of the benchmarks; the text says which, and why."""


class Figure(msgspec.Struct, frozen=True):
    """A median and its spread; without values where nothing could be measured.

    Attributes:
        median: Of the repetitions.
        low: The least of them.
        high: The greatest of them.
        unit: What it counts, where the row's own unit does not say.
        is_more_better: Whether larger is better.
        client: Whose it is, if it is one's own.
    """

    median: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    is_more_better: bool = False
    client: Client | None = None


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
        kind: How it is drawn.
        load: What its load is called in charts.
        is_more_better: Whether a larger figure is the better one.
        values: The figure of each repetition; files from before they were written have none.
        absolute: What stands beside it.
        notes: What a reader must know before believing the figure.
    """

    name: str
    what: str
    measured: str
    unit: str
    verdict: Verdict
    kind: Kind = "figure"
    load: str = ""
    is_more_better: bool = False
    against: str | None = None
    bar: Bar | None = None
    value: Figure | None = None
    values: tuple[float | None, ...] = ()
    absolute: dict[str, Figure] = {}
    notes: tuple[str, ...] = ()

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
