"""Objectives: how they are written, and holding one request against them. No IO."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from typing import Final

from triollama_adapters.histogram import nearest_rank
from triollama_adapters.loadtest.errors import ObjectiveError
from triollama_adapters.loadtest.measures.spans import NONE, SPANS, Spans
from triollama_adapters.loadtest.plan import DURATIONS, Objective
from triollama_adapters.loadtest.sample import FAULTS, Sample

__all__ = ["COUNTS", "GRAMMAR", "Limit", "is_strict", "parse_objective"]

COUNTS: Final = ("kept", "broken", "late", "cut", "left")
"""What a `Limit` counts."""

GRAMMAR: Final = (
    "an objective is METRIC_pNN<DURATION with the metric ttft, ttfo, tpot, icl or e2e and us, ms "
    "or s, or errors<NN%; such as ttft_p95<800ms, tpot_p95<40ms, e2e_p99<=2s, errors<1%"
)

_FORM: Final = re.compile(
    r"(?P<metric>[a-z0-9]+)(?:_p(?P<percentile>\d+(?:\.\d+)?))?"
    r"(?P<sign><=?)(?P<number>\d+(?:\.\d+)?|\.\d+)(?P<unit>[a-zµ%]*)"
)
_UNITS_S: Final = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_SPAN_OF: Final = {"ttft": "ttft", "ttfo": "ttfo_response", "tpot": "tpot", "e2e": "e2e"}
_WAITS: Final = ("ttft", "ttfo", "e2e")
_NS: Final = 1e9


def parse_objective(text: str) -> Objective:
    """Read ``ttft_p95<800ms``, ``tpot_p95<40ms``, ``e2e_p99<=2s`` or ``errors<1%``.

    Raises:
        ObjectiveError: it cannot be understood; the message shows the grammar.
    """
    plain = "".join(text.split()).lower()
    found = _FORM.fullmatch(plain)
    if found is None:
        raise _error(text, "it has another form")
    metric, percentile, unit = found["metric"], found["percentile"], found["unit"]
    if metric == "errors":
        if percentile is not None:
            raise _error(text, "errors have no percentile")
        return Objective("errors", None, _share(text, found), plain)
    if metric not in DURATIONS:
        raise _error(text, f"there is no metric {metric}")
    if percentile is None:
        raise _error(text, f"which percentile of {metric}, such as {metric}_p95?")
    share = round(float(percentile) / 100, 9)
    if not 0 < share < 1:
        raise _error(text, "a percentile is between 0 and 100")
    if unit not in _UNITS_S:
        raise _error(text, f"{unit} is no unit" if unit else "the limit has no unit")
    limit_s = float(found["number"]) * _UNITS_S[unit]
    if not limit_s:
        raise _error(text, "nothing takes no time")
    if math.isinf(limit_s):
        raise _error(text, "the limit is none")
    return Objective(metric, share, limit_s, plain)


def _share(text: str, found: re.Match[str]) -> float:
    limit = float(found["number"])
    if found["unit"] == "%":
        limit /= 100
    elif found["unit"]:
        raise _error(text, f"{found['unit']} is no unit of a share")
    if limit > 1:
        raise _error(text, "a share above 100 %")
    if not limit and found["sign"] == "<":
        raise _error(text, "less than none; no errors at all is errors<=0%")
    return limit


def _error(text: str, why: str) -> ObjectiveError:
    return ObjectiveError(f"{text!r} is no objective: {why}; {GRAMMAR}")


def is_strict(objective: Objective) -> bool:
    """Whether the limit itself is too much: ``<``, not ``<=``."""
    return "=" not in objective.text


class Limit:
    """One objective on a duration, held against each request.

    Attributes:
        objective: which one.
        most_ns: the greatest duration that is good.
        kept: durations that are; for ``icl`` times between two chunks, else requests. Exact, where
            a histogram is not.
        broken: durations that are not.
        late: requests that never had what it is about, or were cut off when it was too late: they
            failed, were refused or never sent. Nothing is late for ``tpot`` and ``icl``, which are
            about answers.
        cut: requests that were cut off at the run's end before it was too late.
        left: requests whose user left before it was too late.
    """

    __slots__ = ("_is_wait", "_span", "most_ns", "objective", *COUNTS)

    kept: int
    broken: int
    late: int
    cut: int
    left: int

    def __init__(self, objective: Objective) -> None:
        assert objective.metric in DURATIONS
        self.objective = objective
        limit_ns = round(objective.limit * _NS, 3)
        strict = is_strict(objective)
        self.most_ns = math.ceil(limit_ns) - 1 if strict else math.floor(limit_ns)
        span = _SPAN_OF.get(objective.metric)
        self._span = None if span is None else SPANS.index(span)
        self._is_wait = objective.metric in _WAITS
        self.counts = (0,) * len(COUNTS)

    @property
    def counts(self) -> tuple[int, ...]:
        """Each of `COUNTS`; what another process counted can be put here."""
        return tuple(getattr(self, name) for name in COUNTS)

    @counts.setter
    def counts(self, counts: tuple[int, ...]) -> None:
        for name, count in zip(COUNTS, counts, strict=True):
            setattr(self, name, count)

    def merge(self, other: Limit) -> None:
        """Add what another one counted, of the same objective."""
        self.counts = tuple(map(sum, zip(self.counts, other.counts, strict=True)))

    def hold(self, sample: Sample, spans: Spans) -> bool:
        """Whether a request keeps it, as far as it has what it is about; counts it.

        Args:
            sample: a request that was due within the window.
            spans: its durations.
        """
        if self._span is None:
            return self._hold_gaps(sample)
        value = spans[self._span]
        if value == NONE:
            if self._is_wait and sample.outcome != "ok":
                self._miss(sample)
            return True
        is_kept = value <= self.most_ns
        self.kept += is_kept
        self.broken += not is_kept
        return is_kept

    def _hold_gaps(self, sample: Sample) -> bool:
        share, gaps = self.objective.share, sorted(sample.gaps_ns)
        kept = bisect_right(gaps, self.most_ns)
        self.kept += kept
        self.broken += len(gaps) - kept
        return not gaps or share is None or kept >= nearest_rank(len(gaps), share)

    def _miss(self, sample: Sample) -> None:
        waited_ns = sample.ended_ns - sample.scheduled_ns
        if sample.outcome in FAULTS or waited_ns > self.most_ns:
            self.late += 1
        elif sample.outcome == "cancelled":
            self.left += 1
        else:
            self.cut += 1
