"""Two results -> what differs, and whether it is more than noise. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Final

from msgspec.structs import replace

from triollama_adapters.histogram import needed_for
from triollama_adapters.loadtest.measures.bootstrap import (
    draw_mean,
    draw_means_of_blocks,
    draw_percentile,
    draw_share,
)
from triollama_adapters.loadtest.measures.differences import (
    Difference,
    Drawn,
    Unit,
    Verdict,
    judge,
)
from triollama_adapters.loadtest.measures.distributions import PERCENTILES
from triollama_adapters.loadtest.measures.likeness import (
    independent_of,
    likeness,
    likeness_of_errors,
    requests_of,
)
from triollama_adapters.loadtest.result import Distribution, Moment, Result

__all__ = ["COMPARED", "Difference", "Unit", "Verdict", "compare", "draw_figures"]

COMPARED: Final = ("ttft", "tpot", "icl", "icl_max", "e2e")
"""Their other forms say the same again, and the more figures there are, the clearer a change of one
has to be."""

_PERCENTILES: Final = ("p50", "p95", "p99")
_MEAN_FROM: Final = needed_for(0.5)
"""Values before a mean is compared: as many as the median needs."""

_RATES: Final = ("completed", "output_tokens")
_MOMENTS_MIN: Final = 8
"""With fewer, their spread says nothing."""


def compare(
    a: Result, b: Result, *, metrics: Sequence[str] = COMPARED, seed: int = 0
) -> tuple[Difference, ...]:
    """What changed from one run to another, figure by figure.

    Figures that one of them does not have, or withholds, are left out, and so is attainment if
    their objectives differ. Of twenty comparisons of runs that do not differ, one at most calls any
    figure better or worse, see `differences`.

    Args:
        a: the run before, or one side.
        b: the run after, or the other side.
        metrics: which of `result.METRICS`.
        seed: of the bootstrap.
    """
    random = Random(seed)  # noqa: S311  # draws of a bootstrap are no secret
    return judge(draw_figures(a, b, metrics, random))


def draw_figures(a: Result, b: Result, metrics: Sequence[str], random: Random) -> tuple[Drawn, ...]:
    """The figures that two runs have in common, with their draws; see `compare`."""
    return (*_shares(a, b, random), *_rates(a, b, random), *_durations(a, b, metrics, random))


def _durations(a: Result, b: Result, metrics: Sequence[str], random: Random) -> Iterator[Drawn]:
    for metric in metrics:
        before, after = a.metrics.get(metric), b.metrics.get(metric)
        if before is None or after is None:
            continue
        error_s = max(_error_s(a, metric), _error_s(b, metric))
        for name in _PERCENTILES:
            one, two = before.percentiles.get(name), after.percentiles.get(name)
            if one is None or two is None or not one.value:
                continue
            share = PERCENTILES[name]
            counts = _independent(a, metric, share), _independent(b, metric, share)
            draws = _drawn(
                partial(draw_percentile, share=share, random=random), before, after, counts
            )
            found = _ratio(f"{metric}_{name}", "s", (one.value, two.value), draws)
            # Of the lesser one it has to be known how great it may be.
            below = counts[0] if one.value < two.value else counts[1]
            yield replace(found, error_s=error_s, is_enough=below >= needed_for(share))
        if before.mean_s and min(requests_of(a, metric), requests_of(b, metric)) >= _MEAN_FROM:
            counts = _independent(a, metric, 0.5), _independent(b, metric, 0.5)
            draws = _drawn(partial(draw_mean, random=random), before, after, counts)
            found = _ratio(f"{metric}_mean", "s", (before.mean_s, after.mean_s), draws)
            yield replace(found, error_s=error_s, is_enough=min(counts) >= _MEAN_FROM)


def _ratio(
    figure: str, unit: Unit, values: tuple[float, float], draws: Sequence[Sequence[float]]
) -> Drawn:
    changes = [two / one - 1 for one, two in zip(*draws, strict=True) if one]
    return Drawn(figure, unit, values, values[1] / values[0] - 1, changes)


def _drawn(
    draw: partial[list[float]], before: Distribution, after: Distribution, counts: tuple[int, int]
) -> tuple[list[float], list[float]]:
    return draw(before, independent=counts[0]), draw(after, independent=counts[1])


def _independent(result: Result, metric: str, share: float) -> int:
    return max(2, int(independent_of(result, metric, share)))


def _error_s(result: Result, metric: str) -> float:
    """How wrong the client may have measured a value: for TPOT it is shared out over the tokens."""
    error_s, rates = result.client.timing_error_s, result.rates
    if metric == "server_tpot":
        return 0.0
    if metric == "tpot" and rates.completed:
        return error_s / max(1.0, rates.output_tokens / rates.completed)
    return error_s


def _rates(a: Result, b: Result, random: Random) -> Iterator[Drawn]:
    for rate in _RATES:
        values = getattr(a.rates, rate), getattr(b.rates, rate)
        series = [[float(getattr(each, rate)) for each in _window(result)] for result in (a, b)]
        if not values[0] or min(map(len, series)) < _MOMENTS_MIN or not sum(series[0]):
            continue
        draws = [
            _scaled(draw_means_of_blocks(each, random), value * len(each), sum(each))
            for each, value in zip(series, values, strict=True)
        ]
        yield replace(_ratio(rate, "/s", values, draws), is_more_better=True)


def _scaled(draws: Sequence[float], rate: float, total: float) -> Sequence[float]:
    """Means by moment -> rates: the series as a whole has the rate of the window."""
    return [draw * rate / total for draw in draws] if total else draws


def _window(result: Result) -> list[Moment]:
    begin = result.plan.warm_up_s
    end = begin + result.window_s - result.moment_s
    return [each for each in result.moments if begin <= each.at_s <= end + 1e-6]


def _shares(a: Result, b: Result, random: Random) -> Iterator[Drawn]:
    totals = a.counts.scheduled, b.counts.scheduled
    if not all(totals):
        return
    if a.attained is not None and b.attained is not None and _limits(a) == _limits(b):
        good = a.attained.good, b.attained.good
        alike = likeness(a, good[0] / totals[0]), likeness(b, good[1] / totals[1])
        yield _share("attainment", good, totals, alike, random)
    failed = sum(a.counts.errors.values()), sum(b.counts.errors.values())
    alike = likeness_of_errors(a), likeness_of_errors(b)
    yield _share("errors", failed, totals, alike, random)


def _limits(result: Result) -> set[tuple[object, ...]]:
    """The objectives, however they were written: attainments of others say nothing together."""
    return {(each.metric, each.share, each.limit) for each in result.plan.objectives}


def _share(
    figure: str,
    counts: tuple[int, int],
    totals: tuple[int, int],
    alike: tuple[float, float],
    random: Random,
) -> Drawn:
    sides = list(zip(counts, totals, alike, strict=True))
    one, two = (draw_share(count / times, total / times, random) for count, total, times in sides)
    before, after = (count / total for count, total, _ in sides)
    changes = [after - before for before, after in zip(one, two, strict=True)]
    is_good = figure == "attainment"
    return Drawn(figure, "share", (before, after), after - before, changes, is_more_better=is_good)
