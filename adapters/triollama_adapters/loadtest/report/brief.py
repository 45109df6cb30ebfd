"""The figures that have room in a terminal and in an issue, as cells of tables. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.changes import tell_change
from triollama_adapters.loadtest.report.compared import RUN_COLUMNS, tell_row
from triollama_adapters.loadtest.report.definitions import METERS, in_order
from triollama_adapters.loadtest.report.searches import Run
from triollama_adapters.loadtest.report.units import NOTHING, show_s, show_share
from triollama_adapters.loadtest.report.words import Tone
from triollama_adapters.loadtest.result import LedgerFound, Result

__all__ = [
    "LATENCY_COLUMNS",
    "METRICS",
    "brief_changes",
    "brief_latencies",
    "brief_ledger",
    "brief_runs",
    "change_columns",
]

METRICS: Final = ("ttft", "ttft_service", "tpot", "icl", "e2e", "start_delay")
"""Those that are read first; the page has all of them."""

PERCENTILES: Final = ("p50", "p90", "p95", "p99")

LATENCY_COLUMNS: Final = ("latency", "count", "mean", *PERCENTILES)
"""Of `brief_latencies`."""


def brief_latencies(result: Result) -> Iterator[list[str]]:
    """A row for each of `METRICS` that there is."""
    for name in METRICS:
        if (found := result.metrics.get(name)) is None:
            continue
        known = (found.percentiles.get(each) for each in PERCENTILES)
        cells = [show_s(each.value) if each else NOTHING for each in known]
        yield [METERS[name].short, f"{found.count:,}", show_s(found.mean_s), *cells]


def brief_ledger(ledger: LedgerFound | None) -> Iterator[tuple[str, float, list[str]]]:
    """For each term its name, its share, and its mean, share and p95 as texts."""
    total = sum(ledger.mean_s.values()) if ledger is not None else 0.0
    if ledger is None or total <= 0:
        return
    for term, mean_s in in_order(ledger.mean_s):
        share, p95 = mean_s / total, show_s(ledger.p95_s.get(term))
        yield term, share, [show_s(mean_s), show_share(share), p95]


def brief_runs(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    """The columns, and a row for each run; verdicts are the last, if there are any."""
    is_judged = any(each.verdict for each in runs)
    last = ["verdict"] if is_judged else []
    rows = [
        [each.label, *tell_row(each)["cells"], *([each.verdict] if is_judged else [])]
        for each in runs
    ]
    return ["run", *RUN_COLUMNS, *last], rows


def change_columns(sides: tuple[str, str]) -> tuple[str, ...]:
    """Of `brief_changes`, with the names of what is compared."""
    return ("figure", *sides, "change", "95 %", "verdict")


def brief_changes(differences: Sequence[Difference], signs: dict[Tone, str]) -> Iterator[list[str]]:
    """A row for each figure; the sign says the same as a colour would.

    Args:
        differences: what changed.
        signs: by tone.
    """
    for each in map(tell_change, differences):
        verdict = f"{signs[each['tone']]} {each['verdict']}"
        cells = [each[name] for name in ("figure", "before", "after", "change", "ends")]
        yield [*cells, verdict]
