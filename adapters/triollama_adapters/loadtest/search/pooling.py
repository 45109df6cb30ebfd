"""Several runs of the same load on the same target as one result. Pure.

Counts and histograms add up exactly. What of a result does not add up, because a result holds no
samples, is said where it is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import asdict, replace

from triollama_adapters.histogram import Histogram
from triollama_adapters.loadtest.measures.distributions import (
    NS,
    answers_of,
    distribution_of,
    percentile_of,
)
from triollama_adapters.loadtest.measures.judging import judge_errors
from triollama_adapters.loadtest.measures.shares import wilson
from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.result import (
    METRICS,
    RESPONSES,
    Attained,
    ClientState,
    Counts,
    Distribution,
    EndpointFound,
    Heat,
    Judged,
    LedgerFound,
    Moment,
    Rates,
    Result,
    Validity,
)
from triollama_adapters.loadtest.search.evidence import evidence_of, weigh

__all__ = ["pool"]

_WORST: Final[tuple[Validity, ...]] = ("INVALID", "DEGRADED", "VALID")


def pool(results: Sequence[Result], name: str) -> Result:
    """One result of several, their windows one after the other, without their warm-ups and drains.

    Args:
        results: at least one; of plans that differ in the seed only.
        name: of the whole.
    """
    first = results[0]
    window_s = sum(each.window_s for each in results)
    weights = [each.window_s for each in results]
    scheduled = sum(each.counts.scheduled for each in results)
    return replace(
        first,
        name=name,
        plan=replace(first.plan, duration_s=window_s),
        window_s=window_s,
        is_stopped=any(each.is_stopped for each in results),
        counts=_counts([each.counts for each in results]),
        rates=_rates([each.rates for each in results], weights),
        metrics=_metrics([each.metrics for each in results]),
        attained=_attained(results, scheduled),
        ledger=_ledger([each.ledger for each in results]),
        client=_client([each.client for each in results], [each.counts.sent for each in results]),
        endpoints=_parts([each.endpoints for each in results], weights),
        scenarios=_parts([each.scenarios for each in results], weights),
        moments=_moments(results),
        heat=_heat(results),
        loaded=tuple(replace(x, at_s=x.at_s + at_s) for at_s, r in _ats(results) for x in r.loaded),
        host=tuple(replace(x, at_s=x.at_s + at_s) for at_s, r in _ats(results) for x in r.host),
        events=tuple(replace(x, at_s=x.at_s + at_s) for at_s, r in _ats(results) for x in r.events),
    )


def _ats(results: Sequence[Result]) -> Iterable[tuple[float, Result]]:
    """Each result, and how far its window begins after that of the first."""
    at_s = 0.0
    for each in results:
        yield at_s, each
        at_s += each.window_s


def _counts(parts: Sequence[Counts]) -> Counts:
    details: dict[str, Counter[str]] = {}
    for part in parts:
        for kind, said in part.details.items():
            details.setdefault(kind, Counter()).update(said)
    numbers = [
        {name: value for name, value in asdict(part).items() if isinstance(value, int)}
        for part in parts
    ]
    return Counts(
        **_added(numbers),
        errors=_added(part.errors for part in parts),
        details={kind: dict(said) for kind, said in details.items()},
    )


def _added(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _rates(parts: Sequence[Rates], weights: Sequence[float]) -> Rates:
    names = asdict(parts[0])
    return Rates(**{name: _mean([getattr(p, name) for p in parts], weights) for name in names})


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    total = sum(weights)
    pairs = zip(values, weights, strict=True)
    return sum(value * weight for value, weight in pairs) / total if total else 0.0


def _metrics(parts: Sequence[dict[str, Distribution]]) -> dict[str, Distribution]:
    whole = _histograms(parts)
    return {
        name: distribution_of(each, independent=answers_of(name, whole))
        for name, each in whole.items()
    }


def _histograms(parts: Sequence[dict[str, Distribution]]) -> dict[str, Histogram]:
    names = (*METRICS, *RESPONSES.values())
    found = {name: [part[name] for part in parts if name in part] for name in names}
    return {name: _histogram(each) for name, each in found.items() if each}


def _histogram(parts: Sequence[Distribution]) -> Histogram:
    """The histogram of all values; its sum is exact but for the rounding of the means."""
    whole = Histogram()
    for part in parts:
        whole.merge(
            Histogram.restore(
                part.buckets,
                total=round(part.mean_s * part.count * NS),
                least=round(part.least_s * NS),
                most=round(part.most_s * NS),
            )
        )
    return whole


def _attained(results: Sequence[Result], scheduled: int) -> Attained | None:
    parts = [each.attained for each in results if each.attained is not None]
    if not parts:
        return None
    good = sum(part.good for part in parts)
    judged = tuple(_judged(results, each, scheduled) for each in results[0].plan.objectives)
    return Attained(good, wilson(good, scheduled), judged)


def _judged(results: Sequence[Result], objective: Objective, scheduled: int) -> Judged:
    """An objective, by the requests of all runs; see `evidence`."""
    if objective.metric == "errors" or objective.share is None:
        failed = sum(sum(each.counts.errors.values()) for each in results)
        return judge_errors(objective, failed, scheduled)
    metric = RESPONSES.get(objective.metric, objective.metric)
    evidence = [x for each in results if (x := evidence_of(each, objective)) is not None]
    if not evidence:
        return Judged(objective.text, None, "undetermined", "nothing was measured")
    met, why = weigh(objective, evidence)
    whole = _histograms([each.metrics for each in results])
    independent = answers_of(metric, whole)
    value = percentile_of(whole[metric], objective.share, independent=independent)
    return Judged(objective.text, value, met, why)


def _ledger(parts: Sequence[LedgerFound | None]) -> LedgerFound | None:
    """Means are exact; of the 95th percentiles it is the mean of the runs' own, if all have one.

    Where servers told their times in some windows only, the others are left out.
    """
    known = [part for part in parts if part is not None]
    terms = max((list(part.mean_s) for part in known), key=len, default=[])
    known = [part for part in known if list(part.mean_s) == terms]
    if len(known) < 2:
        return known[0] if known else None
    weights = [float(part.count) for part in known]
    notes = dict.fromkeys(part.note for part in known if part.note)
    p95 = "its 95th percentiles are the means of those of the windows"
    return LedgerFound(
        count=sum(part.count for part in known),
        mean_s={term: _mean([part.mean_s[term] for part in known], weights) for term in terms},
        p95_s={
            term: _mean([part.p95_s[term] for part in known], weights)
            for term in terms
            if all(term in part.p95_s for part in known)
        },
        overhead_s=_mean([part.overhead_s for part in known], weights),
        is_calibrated=all(part.is_calibrated for part in known),
        is_trusted=all(part.is_trusted for part in known),
        disagreeing=_mean([part.disagreeing for part in known], weights),
        cold=sum(part.cold for part in known),
        reloads=sum(part.reloads for part in known),
        note="; ".join((*notes, p95)),
    )


def _client(parts: Sequence[ClientState], sent: Sequence[int]) -> ClientState:
    """As bad as the worst of them."""
    reasons = dict.fromkeys(reason for part in parts for reason in part.reasons)
    floors = [part.floor for part in parts if part.floor is not None]
    return replace(
        parts[0],
        validity=min((part.validity for part in parts), key=_WORST.index),
        reasons=tuple(reasons),
        start_delay_p99_s=max(part.start_delay_p99_s for part in parts),
        busiest=max(part.busiest for part in parts),
        timing_error_s=max(part.timing_error_s for part in parts),
        floor=min(floors) if floors else None,
        cpu_s_per_request=_mean([part.cpu_s_per_request for part in parts], sent),
    )


def _parts(
    parts: Sequence[tuple[EndpointFound, ...]], weights: Sequence[float]
) -> tuple[EndpointFound, ...]:
    """By name; an endpoint that a window did not ask has a rate of 0 in it."""
    names = dict.fromkeys(found.name for part in parts for found in part)
    whole = []
    for name in names:
        same = [next((each for each in part if each.name == name), None) for part in parts]
        known = [each for each in same if each is not None]
        rates = [Rates() if each is None else each.rates for each in same]
        whole.append(
            EndpointFound(
                name=name,
                counts=_counts([each.counts for each in known]),
                rates=_rates(rates, weights),
                metrics=_metrics([each.metrics for each in known]),
                ledger=_ledger([each.ledger for each in known]),
            )
        )
    return tuple(whole)


def _within(result: Result) -> list[int]:
    """The indices of the moments within the window."""
    begin_s, end_s = result.plan.warm_up_s, result.plan.warm_up_s + result.window_s + 1e-6
    return [
        index
        for index, each in enumerate(result.moments)
        if each.at_s >= begin_s and each.at_s + result.moment_s <= end_s
    ]


def _alike(results: Sequence[Result]) -> list[Result]:
    """Those whose moments are as long as the first's: others would not fit beside them."""
    return [each for each in results if each.moment_s == results[0].moment_s]


def _moments(results: Sequence[Result]) -> tuple[Moment, ...]:
    begin_s, width_s = results[0].plan.warm_up_s, results[0].moment_s
    moments = [each.moments[index] for each in _alike(results) for index in _within(each)]
    return tuple(replace(x, at_s=begin_s + n * width_s) for n, x in enumerate(moments))


def _heat(results: Sequence[Result]) -> Heat:
    """With the rows of all of them; they have their edges in common where they overlap."""
    alike = _alike(results)
    edges = sorted({edge for each in alike for edge in each.heat.edges_s})
    row_of = {edge: row for row, edge in enumerate(edges)}
    columns = [
        {row_of[each.heat.edges_s[row]]: count for row, count in each.heat.columns[index].items()}
        for each in alike
        for index in _within(each)
        if index < len(each.heat.columns)
    ]
    return Heat(tuple(edges), tuple(columns))
