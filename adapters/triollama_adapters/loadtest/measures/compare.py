"""Two results -> what differs, and whether it is more than noise. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Final, Literal, TypeAlias

import msgspec

from triollama_adapters.histogram import needed_for
from triollama_adapters.loadtest.measures.bootstrap import (
    draw_mean,
    draw_means_of_blocks,
    draw_percentile,
    draw_share,
    spread,
)
from triollama_adapters.loadtest.measures.distributions import PERCENTILES
from triollama_adapters.loadtest.result import Distribution, Interval, Moment, Result

__all__ = ["COMPARED", "SAME_WITHIN", "Difference", "Unit", "Verdict", "compare"]

Verdict: TypeAlias = Literal["better", "worse", "same", "undetermined"]
"""``same``: the interval of the change is within 1 %, for a share within a point and around 0;
``undetermined``: the change may be noise."""

Unit: TypeAlias = Literal["s", "/s", "share"]

SAME_WITHIN: Final = 0.01
"""A histogram is not finer, and no user feels it."""

COMPARED: Final = ("ttft", "tpot", "icl", "icl_max", "e2e")
"""Their other forms say the same again, and the more figures there are, the more of them seem to
have changed by chance."""

_PERCENTILES: Final = ("p50", "p95", "p99")
_MEAN_FROM: Final = needed_for(0.5)
"""Values before a mean is compared: as many as the median needs."""

_RATES: Final = ("completed", "output_tokens")
_MOMENTS_MIN: Final = 8
"""With fewer, their spread says nothing."""


class Difference(msgspec.Struct, frozen=True):
    """One figure of two runs.

    Attributes:
        figure: its name: ``ttft_p95``, ``e2e_mean``, ``output_tokens``, ``attainment``, ``errors``.
        unit: ``s``, ``/s`` or ``share``.
        before: of the first run.
        after: of the second.
        change: ``after / before - 1`` with its 95 % interval; for a share ``after - before``.
        verdict: see `Verdict`.
        why: in words.
    """

    figure: str
    unit: Unit
    before: float
    after: float
    change: Interval
    verdict: Verdict
    why: str


class _Pair(msgspec.Struct, frozen=True):
    """A figure of two runs, and its draws."""

    figure: str
    unit: Unit
    values: tuple[float, float]
    draws: tuple[Sequence[float], Sequence[float]]
    is_more_better: bool = False


def compare(
    a: Result, b: Result, *, metrics: Sequence[str] = COMPARED, seed: int = 0
) -> tuple[Difference, ...]:
    """What changed from one run to another, figure by figure.

    Figures that one of them does not have, or withholds, are left out, and so is attainment if
    their objectives differ. Of twenty figures that did not change, one is told to have changed:
    that is what 95 % means.

    Args:
        a: the run before.
        b: the run after.
        metrics: which of `result.METRICS`.
        seed: of the bootstrap.
    """
    random = Random(seed)  # noqa: S311  # draws of a bootstrap are no secret
    pairs = (*_shares(a, b, random), *_rates(a, b, random), *_durations(a, b, metrics, random))
    return tuple(_difference(each) for each in pairs)


def _durations(a: Result, b: Result, metrics: Sequence[str], random: Random) -> Iterator[_Pair]:
    for metric in metrics:
        before, after = a.metrics.get(metric), b.metrics.get(metric)
        if before is None or after is None:
            continue
        counts = _independent(a, metric, before), _independent(b, metric, after)
        for name in _PERCENTILES:
            one, two = before.percentiles.get(name), after.percentiles.get(name)
            if one is not None and two is not None and one.value:
                draw = partial(draw_percentile, share=PERCENTILES[name], random=random)
                draws = draw(before, independent=counts[0]), draw(after, independent=counts[1])
                yield _Pair(f"{metric}_{name}", "s", (one.value, two.value), draws)
        if before.mean_s and min(counts) >= _MEAN_FROM:
            draw = partial(draw_mean, random=random)
            draws = draw(before, independent=counts[0]), draw(after, independent=counts[1])
            yield _Pair(f"{metric}_mean", "s", (before.mean_s, after.mean_s), draws)


def _independent(result: Result, metric: str, found: Distribution) -> int:
    """How many of the values know nothing of each other: of times between chunks, one an answer."""
    answers = result.metrics.get("icl_max") if metric == "icl" else None
    return found.count if answers is None else min(found.count, answers.count)


def _rates(a: Result, b: Result, random: Random) -> Iterator[_Pair]:
    for rate in _RATES:
        values = getattr(a.rates, rate), getattr(b.rates, rate)
        series = [[float(getattr(each, rate)) for each in _window(result)] for result in (a, b)]
        if not values[0] or min(map(len, series)) < _MOMENTS_MIN or not sum(series[0]):
            continue
        draws = [
            _scaled(draw_means_of_blocks(each, random), value * len(each), sum(each))
            for each, value in zip(series, values, strict=True)
        ]
        yield _Pair(rate, "/s", values, (draws[0], draws[1]), is_more_better=True)


def _scaled(draws: Sequence[float], rate: float, total: float) -> Sequence[float]:
    """Means by moment -> rates: the series as a whole has the rate of the window."""
    return [draw * rate / total for draw in draws] if total else draws


def _window(result: Result) -> list[Moment]:
    begin = result.plan.warm_up_s
    end = begin + result.window_s - result.moment_s
    return [each for each in result.moments if begin <= each.at_s <= end + 1e-6]


def _shares(a: Result, b: Result, random: Random) -> Iterator[_Pair]:
    totals = a.counts.scheduled, b.counts.scheduled
    if not all(totals):
        return
    is_alike = _limits(a) == _limits(b)
    if a.attained is not None and b.attained is not None and is_alike:
        yield _share("attainment", (a.attained.good, b.attained.good), totals, random)
    failed = sum(a.counts.errors.values()), sum(b.counts.errors.values())
    yield _share("errors", failed, totals, random)


def _limits(result: Result) -> set[tuple[object, ...]]:
    """The objectives, however they were written: attainments of others say nothing together."""
    return {(each.metric, each.share, each.limit) for each in result.plan.objectives}


def _share(figure: str, counts: tuple[int, int], totals: tuple[int, int], random: Random) -> _Pair:
    return _Pair(
        figure,
        "share",
        (counts[0] / totals[0], counts[1] / totals[1]),
        (draw_share(counts[0], totals[0], random), draw_share(counts[1], totals[1], random)),
        is_more_better=figure == "attainment",
    )


def _difference(pair: _Pair) -> Difference:
    before, after = pair.values
    is_share = pair.unit == "share"
    pairs = zip(*pair.draws, strict=True)
    if is_share:
        change = spread(after - before, [two - one for one, two in pairs])
    else:
        change = spread(after / before - 1, [two / one - 1 for one, two in pairs if one])
    verdict = _verdict(change, is_share=is_share, is_more_better=pair.is_more_better)
    why = _why(change, verdict, "points" if is_share else "%")
    return Difference(pair.figure, pair.unit, before, after, change, verdict, why)


def _verdict(change: Interval, *, is_share: bool, is_more_better: bool) -> Verdict:
    low, high = change.low, change.high
    assert low is not None
    assert high is not None
    is_noise = low <= 0 <= high
    # A point is little of a latency, and much of errors: from none to one in two hundred.
    if low >= -SAME_WITHIN and high <= SAME_WITHIN and (is_noise or not is_share):
        return "same"
    if is_noise:
        return "undetermined"
    return "better" if (low > 0) == is_more_better else "worse"


def _why(change: Interval, verdict: Verdict, unit: str) -> str:
    assert change.low is not None
    assert change.high is not None
    one = "point" if unit == "points" else unit
    words = {
        "better": "more than noise",
        "worse": "more than noise",
        "same": f"less than {100 * SAME_WITHIN:g} {one} either way",
        "undetermined": "may be noise",
    }
    ends = f"{change.low * 100:+.1f} to {change.high * 100:+.1f}"
    return f"{change.value * 100:+.1f} {unit} ({ends}): {words[verdict]}"
