"""What a page draws of a run, as columns of numbers; times in seconds, latencies too. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from triollama_adapters.loadtest.plan import ClosedLoop
from triollama_adapters.loadtest.report.settings import name_endpoint
from triollama_adapters.loadtest.report.thinning import (
    cumulate,
    short,
    thin,
    thin_heat,
    thin_moments,
)
from triollama_adapters.loadtest.report.units import show_bytes
from triollama_adapters.loadtest.result import Distribution, LoadedLook, Result

__all__ = ["CDF_METRICS", "draw_cdfs", "draw_heat", "draw_host", "draw_loaded", "draw_series"]

CDF_METRICS: Final = ("ttft", "icl", "tpot", "e2e")

HEAT_COLUMNS: Final = 240
"""A column of the heat map is three pixels on a screen, and one on a phone."""

REQUESTS_LEAST: Final = 8
"""Due within the stretch that a point stands for, on average: with fewer, a curve shows chance."""

POINTS_LEAST: Final = 30
"""Of a curve over time, however few requests there were."""

GAP_LOOKS: Final = 2.5
"""A model that was not seen for so many looks was not loaded between them."""

_LATENCIES: Final = (
    "ttft_p50_s",
    "ttft_p95_s",
    "icl_p50_s",
    "icl_p99_s",
    "e2e_p50_s",
    "e2e_p95_s",
    "start_delay_max_s",
)
_COUNTED: Final = ("offered", "sent", "completed", "errors", "output_tokens")


def draw_series(result: Result, most: int) -> dict[str, Any]:
    """The run over time.

    Args:
        result: of a run.
        most: points at most.

    Returns:
        ``at`` and a column of the same length per figure: rates are per second; ``moment_s``;
        ``window``, its two ends.
    """
    due = sum(each.offered for each in result.moments)
    enough = max(POINTS_LEAST, due // REQUESTS_LEAST)
    moments, moment_s = thin_moments(result.moments, result.moment_s, min(most, enough))
    series: dict[str, Any] = {"at": [short(each.at_s) for each in moments]}
    for name in _COUNTED:
        series[name] = [short(getattr(each, name) / moment_s) for each in moments]
    series["in_flight"] = [each.in_flight for each in moments]
    for name in _LATENCIES:
        series[name] = [short(getattr(each, name)) for each in moments]
    begin = result.plan.warm_up_s
    return {
        **series,
        "moment_s": moment_s,
        "window": [begin, begin + result.window_s],
        "is_open": not isinstance(result.plan.shape, ClosedLoop),
        "is_thinned": moment_s > result.moment_s,
    }


def draw_cdfs(metrics: dict[str, Distribution], most: int) -> dict[str, Any]:
    """The cumulative distributions of `CDF_METRICS`, with the percentiles that are known."""
    return {name: _cdf(metrics[name], most) for name in CDF_METRICS if name in metrics}


def _cdf(found: Distribution, most: int) -> dict[str, Any]:
    points = list(cumulate(found.buckets, most))
    known = {name: each for name, each in found.percentiles.items() if each is not None}
    return {
        "x": [short(max(1e-6, seconds)) for seconds, _ in points],
        "share": [round(share, 5) for _, share in points],
        "count": found.count,
        "marks": {name: short(each.value) for name, each in known.items()},
    }


def draw_heat(result: Result, most: int = HEAT_COLUMNS) -> dict[str, Any] | None:
    """How many requests had which TTFT, over time.

    Each column has its lowest row, counted from the first that is used, and then the counts from
    there up to its highest.
    """
    heat = result.heat
    used = {row for column in heat.columns for row, count in column.items() if count}
    if not used:
        return None
    first, last = min(used), max(used)
    columns, size = thin_heat(heat, most)
    edges = list(heat.edges_s[first : last + 2])
    return {
        "edges": [short(each) for each in edges],
        "columns": [_dense(column, first) for column in columns],
        "column_s": size * result.moment_s,
        "rows": last - first + 1,
    }


def _dense(column: dict[int, int], first: int) -> list[int]:
    used = [row for row, count in column.items() if count]
    if not used:
        return []
    low = min(used)
    return [low - first, *(column.get(row, 0) for row in range(low, max(used) + 1))]


def draw_loaded(result: Result) -> list[dict[str, Any]]:
    """Which model was loaded where and when: a row each, with its stretches.

    A stretch ends when a look no longer saw the model; its size is the greatest within it.
    """
    rows: dict[tuple[str, str], list[LoadedLook]] = {}
    for look in result.loaded:
        rows.setdefault((look.endpoint, look.model), []).append(look)
    step = _usual_step(result.loaded)
    return [
        {"endpoint": name_endpoint(endpoint), "model": model, "spans": _spans(looks, step)}
        for (endpoint, model), looks in sorted(rows.items())
    ]


def _usual_step(looks: Sequence[LoadedLook]) -> float:
    moments = sorted({look.at_s for look in looks})
    steps = sorted(b - a for a, b in pairwise(moments))
    return steps[len(steps) // 2] if steps else 1.0


def _spans(looks: list[LoadedLook], step: float) -> list[dict[str, Any]]:
    spans: list[list[LoadedLook]] = []
    for look in sorted(looks, key=lambda each: each.at_s):
        if spans and look.at_s - spans[-1][-1].at_s <= GAP_LOOKS * step:
            spans[-1].append(look)
        else:
            spans.append([look])
    return [
        {
            "from": short(span[0].at_s),
            "to": short(span[-1].at_s + step),
            "size": show_bytes(max(look.vram_bytes for look in span)),
        }
        for span in spans
    ]


def draw_host(result: Result, most: int) -> dict[str, Any] | None:
    """This machine over time; columns that cannot be read are left out."""
    looks = thin(result.host, most)
    if not looks:
        return None
    columns: dict[str, list[float | None]] = {
        "at": [short(each.at_s) for each in looks],
        "cpu": [short(each.cpu) for each in looks],
        "memory_bytes": [short(each.memory_bytes) for each in looks],
        "gpu": [short(each.gpu) for each in looks],
        "gpu_memory_bytes": [short(each.gpu_memory_bytes) for each in looks],
    }
    return {
        name: column
        for name, column in columns.items()
        if any(value is not None for value in column)
    }
