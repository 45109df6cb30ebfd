"""What happened when -> the moments and the heat map of a result. No IO."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Final

from triollama_adapters.histogram import Histogram, nearest_rank
from triollama_adapters.loadtest.measures.distributions import NS
from triollama_adapters.loadtest.measures.series import Series
from triollama_adapters.loadtest.result import Heat, Moment

__all__ = ["heat_of", "moments_of"]

HEAT_ROWS_MAX: Final = 48
"""Rows that can be told apart on a screen."""

_MILLI: Final = 1000
_NONE: Final = Histogram()


def moments_of(series: Series) -> tuple[Moment, ...]:
    """Each moment up to the last in which something happened."""
    ttft, e2e, icl = (each.histograms() for each in (series.ttft, series.e2e, series.icl))
    width_s = series.width_ns / NS
    begun, over = accumulate(series.sent), accumulate(series.ended)
    in_flight = [one - two for one, two in zip(begun, over, strict=True)]
    received = [round(each / _MILLI) for each in series.tokens_milli]
    return tuple(
        Moment(
            at_s=round(index * width_s, 6),
            offered=series.offered[index],
            sent=series.sent[index],
            completed=series.completed[index],
            errors=series.errors[index],
            in_flight=in_flight[index],
            output_tokens=received[index],
            ttft_p50_s=_percentile(ttft.get(index, _NONE), 0.5),
            ttft_p95_s=_percentile(ttft.get(index, _NONE), 0.95),
            icl_p50_s=_percentile(icl.get(index, _NONE), 0.5),
            icl_p99_s=_percentile(icl.get(index, _NONE), 0.99),
            e2e_p50_s=_percentile(e2e.get(index, _NONE), 0.5),
            e2e_p95_s=_percentile(e2e.get(index, _NONE), 0.95),
            start_delay_max_s=series.delays_ns[index] / NS,
        )
        for index in range(series.used)
    )


def heat_of(series: Series) -> Heat:
    """How many requests had which TTFT, by the moment in which they were due.

    The rows are as many to each doubling as there is room for, 8 at most.
    """
    columns = series.ttft.histograms()
    if not columns:
        return Heat((), tuple({} for _ in range(series.used)))
    least = max(1, min(each.least for each in columns.values()))
    most = max(1, *(each.most for each in columns.values()))
    per_doubling = next(
        (each for each in (8, 4, 2) if math.log2(most / least) * each + 2 <= HEAT_ROWS_MAX), 1
    )
    begin = math.floor(math.log2(least) * per_doubling)
    rows = math.floor(math.log2(most) * per_doubling) - begin + 1
    edges = tuple(2 ** ((begin + row) / per_doubling) / NS for row in range(rows))
    return Heat(
        edges,
        tuple(
            _column(columns.get(index, _NONE), begin, per_doubling) for index in range(series.used)
        ),
    )


def _column(histogram: Histogram, begin: int, per_doubling: int) -> dict[int, int]:
    rows: dict[int, int] = {}
    for value, count in histogram.middles:
        row = math.floor(math.log2(max(1, value)) * per_doubling) - begin
        rows[row] = rows.get(row, 0) + count
    return dict(sorted((max(0, row), count) for row, count in rows.items()))


def _percentile(histogram: Histogram, share: float) -> float | None:
    """Of a moment, however few values it has: a chart shows them all."""
    count = len(histogram)
    if not count:
        return None
    return histogram.at_ranks([nearest_rank(count, share)])[0] / NS
