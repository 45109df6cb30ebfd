"""What happened when: the run in moments of equal length. No IO."""

from __future__ import annotations

from itertools import accumulate, islice
from typing import Final

import msgspec

from triollama_adapters.loadtest.measures.grid import Grid
from triollama_adapters.loadtest.sample import FAULTS, Sample

__all__ = ["MOMENTS_MAX", "Series", "StoredSeries", "width_for"]

MOMENTS_MAX: Final = 600
"""More points than a chart has pixels for."""

_PLANNED: Final = 400
"""Room for a run that takes longer than planned."""

_WIDTHS_S: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)

_MILLI: Final = 1000
"""Tokens are counted in thousandths, in whole numbers, so that no order of adding matters."""

_TIMES: Final = (
    "scheduled_ns",
    "queued_ns",
    "sent_ns",
    "first_ns",
    "last_ns",
    "done_ns",
    "ended_ns",
)

_COUNTS: Final = ("offered", "sent", "completed", "errors", "ended")


def width_for(total_s: float) -> float:
    """How long a moment is, in seconds: round, and there are 400 at most.

    Args:
        total_s: of the whole run, with warm-up and drain.
    """
    return next((width for width in _WIDTHS_S if total_s <= width * _PLANNED), total_s / _PLANNED)


class StoredSeries(msgspec.Struct, frozen=True):
    """A series on its way to another process."""

    counts: dict[str, list[int]]
    delays_ns: list[int]
    beside_milli: list[int]
    grids: list[dict[int, int]]


class Series:
    """Counts by moment; what comes after the last moment counts in it.

    Args:
        total_s: of the whole run, with warm-up and drain.

    Attributes:
        width_ns: how long a moment is.
        offered: requests due, by moment. So the next ones.
        sent: requests sent.
        completed: answers that ended well.
        errors: requests that failed.
        ended: of those that were sent, how many were over.
        delays_ns: the greatest start delay.
        ttft: of the requests due in each moment.
        e2e: of the same.
        icl: of the chunks received in each moment.
    """

    __slots__ = (
        *_COUNTS,
        "_beside_milli",
        "_until_ns",
        "delays_ns",
        "e2e",
        "icl",
        "ttft",
        "width_ns",
    )

    def __init__(self, total_s: float) -> None:
        self.width_ns = round(width_for(total_s) * 1e9)
        self._until_ns = MOMENTS_MAX * self.width_ns
        self.offered = [0] * MOMENTS_MAX
        self.sent = [0] * MOMENTS_MAX
        self.completed = [0] * MOMENTS_MAX
        self.errors = [0] * MOMENTS_MAX
        self.ended = [0] * MOMENTS_MAX
        self.delays_ns = [0] * MOMENTS_MAX
        self.ttft, self.e2e, self.icl = (Grid(self.width_ns) for _ in range(3))
        self._beside_milli = [0] * MOMENTS_MAX

    @property
    def tokens_milli(self) -> list[int]:
        """Output tokens received in each moment, in thousandths."""
        tokens = list(self._beside_milli)
        for moment, count in self.icl.by_moment().items():
            tokens[moment] += count * _MILLI
        return tokens

    @property
    def used(self) -> int:
        """How many moments there are, up to the last in which something happened."""
        columns = [*(getattr(self, name) for name in _COUNTS), self.tokens_milli]
        for index in range(MOMENTS_MAX, 0, -1):
            if any(column[index - 1] for column in columns):
                return index
        return 0

    def add(self, sample: Sample) -> None:
        """Count a request, whenever it was due."""
        at = sample
        if max(sample.ended_ns, sample.last_ns, sample.scheduled_ns) >= self._until_ns:
            at = self._cut(sample)
        width, sent, begun = self.width_ns, at.sent_ns, at.begun_ns
        due, over = at.scheduled_ns // width, at.ended_ns // width
        self.offered[due] += 1
        if sent:
            self.sent[sent // width] += 1
            self.ended[over] += 1
        if begun:
            self.delays_ns[due] = max(self.delays_ns[due], begun - at.scheduled_ns)
        if sample.outcome == "ok":
            self.completed[over] += 1
            self.e2e.add(at.scheduled_ns, sample.done_ns - sample.scheduled_ns)
        elif sample.outcome in FAULTS:
            self.errors[over] += 1
        if sample.first_ns:
            self.ttft.add(at.scheduled_ns, sample.first_ns - sample.scheduled_ns)
            self._add_chunks(at)

    def _add_chunks(self, sample: Sample) -> None:
        """Count a request's chunks: one token for each gap in `icl`, the rest beside it."""
        first_ns, gaps = sample.first_ns, sample.gaps_ns
        tokens = sample.output_tokens or sample.chunks
        if not gaps:
            self._beside_milli[first_ns // self.width_ns] += tokens * _MILLI
            return
        self.icl.add_gaps(first_ns, gaps)
        first_tokens = min(sample.first_tokens, tokens)
        each = (tokens - first_tokens) * _MILLI // len(gaps)
        beside, width = self._beside_milli, self.width_ns
        beside[first_ns // width] += tokens * _MILLI - each * len(gaps)
        if each != _MILLI:
            for stamp in islice(accumulate(gaps, initial=first_ns), 1, None):
                beside[stamp // width] += each - _MILLI

    def _cut(self, sample: Sample) -> Sample:
        """The same within the last moment; what its chunks did is not told."""
        last_ns = self._until_ns - 1
        times = {name: min(getattr(sample, name), last_ns) for name in _TIMES}
        return msgspec.structs.replace(sample, **times, gaps_ns=[])

    def merge(self, other: Series) -> None:
        """Add all that another one counted, of the same plan."""
        assert other.width_ns == self.width_ns
        for name in (*_COUNTS, "_beside_milli"):
            mine, its = getattr(self, name), getattr(other, name)
            mine[:] = [one + two for one, two in zip(mine, its, strict=True)]
        self.delays_ns = list(map(max, self.delays_ns, other.delays_ns))
        for mine, its in zip(self._grids(), other._grids(), strict=True):
            mine.merge(its)

    def store(self) -> StoredSeries:
        """What `restored` takes."""
        return StoredSeries(
            counts={name: getattr(self, name) for name in _COUNTS},
            delays_ns=self.delays_ns,
            beside_milli=self._beside_milli,
            grids=[dict(sorted(each.counts.items())) for each in self._grids()],
        )

    def restored(self, stored: StoredSeries) -> Series:
        """This one, with what another one stored."""
        for name, counts in stored.counts.items():
            setattr(self, name, counts)
        self.delays_ns = stored.delays_ns
        self._beside_milli = stored.beside_milli
        self.ttft, self.e2e, self.icl = (Grid(self.width_ns, each) for each in stored.grids)
        return self

    def _grids(self) -> tuple[Grid, Grid, Grid]:
        return self.ttft, self.e2e, self.icl
