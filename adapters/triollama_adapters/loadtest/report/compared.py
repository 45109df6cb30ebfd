"""What a search or a comparison found, for a page: its curve, its tables. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.changes import note_changes, tell_change
from triollama_adapters.loadtest.report.definitions import METERS, name_figure
from triollama_adapters.loadtest.report.discovered import tell_discovered
from triollama_adapters.loadtest.report.searches import (
    Found,
    Run,
    describe_search,
    remark_search,
    runs_of,
)
from triollama_adapters.loadtest.report.thinning import short
from triollama_adapters.loadtest.report.units import (
    NOTHING,
    show_count,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import (
    AbFound,
    Capacity,
    Discovered,
    PoliciesFound,
    Sweep,
)

__all__ = ["RUN_COLUMNS", "tell_row", "tell_search"]

CURVES: Final = {
    "TTFT p95": ("ttft", "p95"),
    "TTFT p90": ("ttft", "p90"),
    "TTFT p50": ("ttft", "p50"),
    "TPOT p95": ("tpot", "p95"),
    "E2E p95": ("e2e", "p95"),
}
"""What can be drawn over throughput; a run whose percentile is withheld has no point there."""

RUN_COLUMNS: Final = (
    "offered /s",
    "answered /s",
    "tokens /s",
    "TTFT p50",
    "TTFT p95",
    "TPOT p95",
    "E2E p95",
    "attained",
    "failed",
)
"""Of `tell_row`."""


def tell_search(
    results: Sequence[Result],
    search: Found | None,
    differences: Sequence[Difference],
) -> dict[str, Any] | None:
    """What a page shows above its runs; None for a single run.

    Args:
        results: runs by themselves, if it is no search.
        search: what was found.
        differences: between the first two runs.
    """
    runs = runs_of(results, search)
    if search is None and len(runs) < 2:
        return None
    return {
        "title": _title(search),
        "count": show_count(len(runs), "run") if runs else "",
        "headline": describe_search(results, search, differences),
        "remarks": [[each.tone, each.text] for each in remark_search(search)],
        "columns": RUN_COLUMNS,
        "shown": _shown(runs, search),
        "labels": [each.label for each in runs],
        "table": [tell_row(each) for each in runs],
        "curve": _curve(runs, search),
        "differences": [tell_change(each) for each in differences],
        "differences_note": note_changes(differences),
        "pairs": _pairs(search),
        "discovered": tell_discovered(search) if isinstance(search, Discovered) else [],
    }


def _shown(runs: Sequence[Run], search: Found | None) -> int:
    """Which run is shown first: the knee, or the best that met all objectives."""
    best = search.best if isinstance(search, Capacity) else None
    wanted = (
        n
        for n, run in enumerate(runs)
        if run.is_knee or (best is not None and run.result is best.result)
    )
    return next(wanted, 0)


_TITLES: Final = {
    Sweep: "Sweep",
    Capacity: "Capacity",
    AbFound: "A against B",
    PoliciesFound: "Routing policies side by side",
    Discovered: "What the endpoints are",
    type(None): "Runs side by side",
}


def _title(search: Found | None) -> str:
    if isinstance(search, Sweep):
        over = "concurrency" if search.kind == "concurrency" else "the rate"
        return f"Sweep over {over}"
    return _TITLES[type(search)]


def tell_row(run: Run) -> dict[str, Any]:
    """One run of several, with a cell for each of `RUN_COLUMNS`."""
    result = run.result
    counts = result.counts

    def at(metric: str, name: str = "p95") -> str:
        return show_s(_percentile(result, metric, name))

    failed = sum(counts.errors.values()) / max(1, counts.scheduled)
    share = show_share(result.attained.share.value) if result.attained else NOTHING
    return {
        "label": run.label,
        "tone": run.tone,
        "verdict": run.verdict,
        "client": result.client.validity,
        "cells": [
            show_number(result.rates.offered),
            show_number(result.rates.completed),
            show_number(result.rates.output_tokens),
            at("ttft", "p50"),
            at("ttft"),
            at("tpot"),
            at("e2e"),
            share,
            show_share(failed),
        ],
    }


def _curve(runs: Sequence[Run], search: Found | None) -> dict[str, Any] | None:
    """Latency over throughput, a point per run; nothing where the load was the same for all."""
    if not isinstance(search, Sweep | Capacity) or len(runs) < 2:
        return None
    points = []
    for n, run in enumerate(runs):
        points.append(
            {
                "x": short(run.result.rates.completed),
                "y": {name: short(_percentile(run.result, *of)) for name, of in CURVES.items()},
                "label": run.label,
                "tone": run.tone,
                "is_knee": run.is_knee,
                "run": n,
            }
        )
    limits = {
        f"{METERS[each.metric].short} p{100 * each.share:g}": each.limit
        for each in runs[0].result.plan.objectives
        if each.metric in METERS and each.share is not None
    }
    return {"points": points, "limits": limits, "is_line": isinstance(search, Sweep)}


def _percentile(result: Result, metric: str, name: str) -> float | None:
    found = result.metrics.get(metric)
    interval = found.percentiles.get(name) if found else None
    return interval.value if interval else None


def _pairs(search: Found | None) -> dict[str, Any] | None:
    if not isinstance(search, AbFound):
        return None
    pairs = len(search.pairs)
    return {
        "shown": show_count(pairs, "pair"),
        "wins": [
            {"figure": name_figure(figure), "a": a, "b": b, "ties": max(0, pairs - a - b)}
            for figure, (a, b) in search.wins.items()
        ],
    }
