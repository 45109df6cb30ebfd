"""A report as CSV, one row per run: for a spreadsheet, or for a plot over many runs. No IO."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from triollama_adapters.loadtest.report.searches import Found, runs_of
from triollama_adapters.loadtest.result import CLIENT_TERMS, METRICS, TERMS, Result

__all__ = ["make_csv"]

PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p99.9")

Cell = str | int | float | None


def make_csv(results: Sequence[Result], *, search: Found | None = None) -> str:
    """The runs as CSV with a header; times are in seconds, what is not known is empty.

    The columns are the same for every report of one version, so that files can be put together.

    Args:
        results: as `page.make_page` takes them.
        search: what was found.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rows = [dict(_cells(each.label, each.result)) for each in runs_of(results, search)]
    for n, row in enumerate(rows):
        if n == 0:
            writer.writerow(row)
        writer.writerow("" if each is None else each for each in row.values())
    return text.getvalue()


def _cells(label: str, result: Result) -> Iterator[tuple[str, Cell]]:
    yield "run", label
    yield "began_at", result.began_at
    yield "seed", result.plan.seed
    yield "window_s", result.window_s
    yield "client", result.client.validity
    counts = result.counts
    for name in ("scheduled", "sent", "ok", "cancelled", "censored"):
        yield name, getattr(counts, name)
    yield "paused", counts.paused
    yield "continued", counts.continued
    yield "failed", sum(counts.errors.values())
    for name, rate in msgspec.structs.asdict(result.rates).items():
        yield f"{name}_per_s", rate
    yield "attainment", result.attained.share.value if result.attained else None
    for metric in METRICS:
        found = result.metrics.get(metric)
        yield f"{metric}_mean_s", found.mean_s if found else None
        for name in PERCENTILES:
            interval = found.percentiles.get(name) if found else None
            yield f"{metric}_{name}_s", interval.value if interval else None
    for term in dict.fromkeys((*TERMS, *CLIENT_TERMS)):
        yield f"ledger_{term}_mean_s", result.ledger.mean_s.get(term) if result.ledger else None
