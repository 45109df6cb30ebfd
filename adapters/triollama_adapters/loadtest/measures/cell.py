"""What is counted of one scenario at one endpoint. No IO.

A request is counted in one cell; what is said of an endpoint, a scenario or the whole run is its
cells merged.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from triollama_adapters.histogram import Histogram
from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.measures.columns import Columns, Stored, restore, store
from triollama_adapters.loadtest.measures.details import Details
from triollama_adapters.loadtest.measures.reading import Reading
from triollama_adapters.loadtest.measures.spans import (
    PARTS,
    SPANS,
    Spans,
    client_parts_of,
    is_agreed,
    parts_of,
)
from triollama_adapters.loadtest.result import CLIENT_TERMS, Counts
from triollama_adapters.loadtest.sample import Sample

__all__ = ["Cell", "CellKey", "StoredCell"]

CellKey = tuple[str, str, str]
"""Endpoint, scenario, model."""

GAPS_MAX: Final = 512
"""Times between chunks that wait to be counted together; about 0.1 ms."""

PAUSE_NS: Final = 1_000_000_000
"""A reader sees that nothing comes."""

COLD_NS: Final = 100_000_000
"""A load that takes so much longer than finding a loaded model is one (the metrics' page)."""

_TRANSPORT: Final = PARTS.index("transport")

_NUMBERS: Final = (
    "scheduled",
    "sent",
    "ok",
    "cancelled",
    "censored",
    "before",
    "chunks",
    "paused",
    "continued",
    "good",
    "sent_within",
    "done_within",
    "tokens_within",
    "prompt_within",
    "cold",
    "reloads",
    "disagreeing",
    "negative",
)


class StoredCell(msgspec.Struct, frozen=True):
    """A cell on its way to another process."""

    key: CellKey
    numbers: dict[str, int]
    errors: dict[str, int]
    details: dict[str, dict[str, int]]
    reading: dict[int, tuple[int, int, int]]
    gaps: Stored
    columns: tuple[tuple[dict[str, Stored], dict[str, int]], ...]


class Cell:
    """Counts.

    Attributes:
        scheduled: requests due within the window; this and the next ones as `result.Counts`.
        good: of these, answered in full with all objectives met.
        sent_within: requests sent within the window, whenever they were due.
        done_within: answers that ended well within it.
        tokens_within: output tokens received within it.
        prompt_within: prompt tokens of the answers that ended well within it.
        cold: answers that waited for a load.
        reloads: of these, with a model that was there.
        disagreeing: whose second estimate of the wait for a slot is another one.
        negative: whose server says that it took longer than it did for the client.
        errors: by class.
        details: what they said.
        reading: of the prompts of `done_within`.
        spans: of the requests due within the window.
        parts: of the answers to them, if the server told its times.
        client_parts: of the others.
    """

    __slots__ = (
        *_NUMBERS,
        "_gaps",
        "_pending",
        "client_parts",
        "details",
        "errors",
        "key",
        "parts",
        "reading",
        "spans",
    )

    scheduled: int
    sent: int
    ok: int
    cancelled: int
    censored: int
    before: int
    chunks: int
    paused: int
    continued: int
    good: int
    sent_within: int
    done_within: int
    tokens_within: int
    prompt_within: int
    cold: int
    reloads: int
    disagreeing: int
    negative: int

    def __init__(self, key: CellKey = ("", "", "")) -> None:
        self.key = key
        for name in _NUMBERS:
            setattr(self, name, 0)
        self.errors: Counter[str] = Counter()
        self.details = Details()
        self.reading = Reading()
        self.spans = Columns(SPANS)
        self.parts = Columns(PARTS, is_signed=True)
        self.client_parts = Columns(CLIENT_TERMS, is_signed=True)
        self._gaps = Histogram()
        self._pending: list[int] = []

    @property
    def gaps(self) -> Histogram:
        """Times between chunks, of all requests due within the window."""
        self._gaps.record_many(self._pending)
        self._pending.clear()
        return self._gaps

    @property
    def counts(self) -> Counts:
        """Requests that were due within the window."""
        return Counts(
            scheduled=self.scheduled,
            sent=self.sent,
            ok=self.ok,
            cancelled=self.cancelled,
            censored=self.censored,
            errors=dict(sorted(self.errors.items())),
            details=self.details.counts,
            before=self.before,
            chunks=self.chunks,
            paused=self.paused,
            continued=self.continued,
        )

    def add(self, sample: Sample, spans: Spans, baseline: Baseline) -> None:
        """Count a request that was due within the window."""
        self.scheduled += 1
        self.spans.add(spans)
        outcome = sample.outcome
        if sample.sent_ns:
            self.sent += 1
        if sample.chunks > 1:
            pending = self._pending
            pending += sample.gaps_ns
            if len(pending) >= GAPS_MAX:
                _ = self.gaps
            self.paused += sample.gap_max_ns > PAUSE_NS
        self.chunks += sample.chunks
        self.continued += sample.continued > 0
        if outcome == "ok":
            self.ok += 1
            if sample.is_timed:
                self._add_timed(sample, baseline)
            else:
                self.client_parts.add(client_parts_of(sample))
        elif outcome == "cancelled":
            self.cancelled += 1
        elif outcome == "censored":
            self.censored += 1
        else:
            self.errors[outcome] += 1
            self.details.add(outcome, sample.detail)

    def _add_timed(self, sample: Sample, baseline: Baseline) -> None:
        parts = parts_of(sample)
        self.parts.add(parts)
        is_slow = sample.load_ns > baseline.load_ns + COLD_NS
        self.cold += is_slow or sample.is_cold
        self.reloads += is_slow and not sample.is_cold
        self.negative += parts[_TRANSPORT] < 0
        self.disagreeing += not is_agreed(sample, baseline.rtt_ns)

    def merge(self, other: Cell) -> None:
        """Add all that another one counted."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors.update(other.errors)
        self.details.merge(other.details)
        self.reading.merge(other.reading)
        self.gaps.merge(other.gaps)
        for mine, its in zip(self._columns(), other._columns(), strict=True):
            mine.merge(its)

    def store(self) -> StoredCell:
        """What `restored` takes."""
        return StoredCell(
            key=self.key,
            numbers={name: getattr(self, name) for name in _NUMBERS},
            errors=dict(sorted(self.errors.items())),
            details=self.details.counts,
            reading=self.reading.sums,
            gaps=store(self.gaps),
            columns=tuple(each.store() for each in self._columns()),
        )

    @classmethod
    def restored(cls, stored: StoredCell) -> Cell:
        """A cell equal to the one that was stored."""
        cell = cls(stored.key)
        for name, number in stored.numbers.items():
            setattr(cell, name, number)
        cell.errors.update(stored.errors)
        cell.details = Details(stored.details)
        cell.reading = Reading(stored.reading)
        cell._gaps = restore(stored.gaps)
        for mine, its in zip(cell._columns(), stored.columns, strict=True):
            mine.restored(its)
        return cell

    def _columns(self) -> tuple[Columns, Columns, Columns]:
        return self.spans, self.parts, self.client_parts
