"""All that a run counts, in memory that does not grow with the number of requests.

Each request is counted once: in the cell of its endpoint and scenario, in the moments it touches,
and against each objective. All sums are of whole numbers, so that tallies of many processes merge
to the same in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate

import msgspec

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.measures.busy import Busy, StoredBusy
from triollama_adapters.loadtest.measures.cell import Cell, CellKey, StoredCell
from triollama_adapters.loadtest.measures.objectives import Limit
from triollama_adapters.loadtest.measures.series import Series, StoredSeries
from triollama_adapters.loadtest.measures.spans import spans_of
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Counts
from triollama_adapters.loadtest.sample import Sample

__all__ = ["Tally"]

_NS = 1_000_000_000
_UNKNOWN = Baseline()


class _Stored(msgspec.Struct, frozen=True):
    end_ns: int
    baselines: dict[str, Baseline]
    cells: list[StoredCell]
    series: StoredSeries
    limits: list[tuple[int, ...]]
    busy: dict[int, StoredBusy]


class Tally:
    """Counts the requests of one process, or of many once merged.

    Args:
        plan: the whole run's.
        baselines: by the models of the plan's scenarios; those that are not there count as not
            measured.

    Attributes:
        baselines: the same.
        limits: the plan's objectives on durations, in its order.
        series: what happened when.
        busy: how busy each process was.
    """

    def __init__(self, plan: Plan, baselines: Mapping[str, Baseline] | None = None) -> None:
        self.baselines = dict(baselines or {})
        self._begin_ns = round(plan.warm_up_s * _NS)
        self._end_ns = self._begin_ns + round(plan.duration_s * _NS)
        self.series = Series(plan.warm_up_s + plan.duration_s + plan.drain_s)
        self.limits = tuple(Limit(each) for each in plan.objectives if each.metric != "errors")
        self.busy: dict[int, Busy] = {}
        self._cells: dict[CellKey, Cell] = {}

    @property
    def window_s(self) -> float:
        """How long the window was."""
        return max(0, self._end_ns - self._begin_ns) / _NS

    @property
    def counts(self) -> Counts:
        """Requests that were due within the window, so far."""
        return merged(self.cells).counts

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Each endpoint's scenarios, by name."""
        return tuple(cell for _, cell in sorted(self._cells.items()))

    def add(self, sample: Sample) -> None:
        """Count a request that is over, of the warm-up and the drain too."""
        key = (sample.endpoint, sample.scenario, sample.model)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Cell(key)
        self.series.add(sample)
        if sample.is_measured:
            spans = spans_of(sample)
            cell.add(sample, spans, self.baselines.get(sample.model, _UNKNOWN))
            is_good = sample.outcome == "ok"
            for limit in self.limits:
                is_good = limit.hold(sample, spans) and is_good
            cell.good += is_good
        else:
            cell.before += 1
        if sample.sent_ns:
            self._add_within(sample, cell)

    def _add_within(self, sample: Sample, cell: Cell) -> None:
        """Count what happened within the window, whenever the request was due."""
        begin, end = self._begin_ns, self._end_ns
        if begin <= sample.sent_ns < end:
            cell.sent_within += 1
        if sample.outcome == "ok" and begin <= sample.done_ns < end:
            cell.done_within += 1
            prompt = sample.prompt_tokens
            cell.prompt_within += prompt
            if prompt and sample.is_timed:
                cell.reading.add(prompt, sample.prefill_ns)
        if sample.first_ns:
            if begin <= sample.first_ns and sample.last_ns < end:
                cell.tokens_within += sample.output_tokens or sample.chunks
            elif begin <= sample.last_ns and sample.first_ns < end:
                cell.tokens_within += _tokens_by(sample, end) - _tokens_by(sample, begin)

    def end_window(self, at_ns: int) -> None:
        """Move the window's end forward: the user ends the run early.

        Call it before what ends after that is added.

        Args:
            at_ns: from the run's beginning on; later than planned changes nothing.
        """
        self._end_ns = min(self._end_ns, at_ns)

    def note_cpu(self, process: int, at_ns: int, cpu_ns: int) -> None:
        """Take a look at a process of the load tester; about four in a second are enough.

        Args:
            process: which one.
            at_ns: from the run's beginning on.
            cpu_ns: CPU time it has used so far, of all its threads.
        """
        self.busy.setdefault(process, Busy()).look(at_ns, cpu_ns)

    def merge(self, other: Tally) -> None:
        """Add what another process counted; in any order the result is the same."""
        self._end_ns = min(self._end_ns, other._end_ns)
        self.baselines = {**other.baselines, **self.baselines}
        for key, cell in other._cells.items():
            self._cells.setdefault(key, Cell(key)).merge(cell)
        self.series.merge(other.series)
        for mine, its in zip(self.limits, other.limits, strict=True):
            mine.merge(its)
        for process, busy in other.busy.items():
            self.busy.setdefault(process, Busy()).merge(busy)

    def encode(self) -> bytes:
        """As MessagePack, for another process."""
        return _encode(
            _Stored(
                end_ns=self._end_ns,
                baselines=dict(sorted(self.baselines.items())),
                cells=[cell.store() for cell in self.cells],
                series=self.series.store(),
                limits=[limit.counts for limit in self.limits],
                busy={process: each.found for process, each in sorted(self.busy.items())},
            )
        )

    @classmethod
    def decode(cls, plan: Plan, data: bytes) -> Tally:
        """What `encode` gave, of the same plan."""
        stored = _decode(data)
        tally = cls(plan, stored.baselines)
        tally._end_ns = stored.end_ns
        tally._cells = {each.key: Cell.restored(each) for each in stored.cells}
        tally.series.restored(stored.series)
        for limit, counts in zip(tally.limits, stored.limits, strict=True):
            limit.counts = counts
        tally.busy = {process: Busy(each) for process, each in stored.busy.items()}
        return tally


def merged(cells: Iterable[Cell]) -> Cell:
    """All of them as one, without a name."""
    whole = Cell()
    for cell in cells:
        whole.merge(cell)
    return whole


def _tokens_by(sample: Sample, at_ns: int) -> int:
    """Output tokens that came before a moment, as evenly spread over the chunks as they can be."""
    tokens = sample.output_tokens or sample.chunks
    if at_ns <= sample.first_ns:
        return 0
    if at_ns > sample.last_ns:
        return tokens
    came = sum(stamp < at_ns for stamp in accumulate(sample.gaps_ns, initial=sample.first_ns))
    first = min(sample.first_tokens, tokens)
    return first + (tokens - first) * (came - 1) // max(1, len(sample.gaps_ns))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
