"""A run as a page shows it: every figure that is read is a text already. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from triollama_adapters.loadtest.report.curves import (
    draw_cdfs,
    draw_heat,
    draw_host,
    draw_loaded,
    draw_series,
)
from triollama_adapters.loadtest.report.definitions import ERRORS, FIGURES, METERS, in_order
from triollama_adapters.loadtest.report.remarks import remark
from triollama_adapters.loadtest.report.settings import (
    name_endpoint,
    tell_environment,
    tell_plan,
    tell_scenario,
)
from triollama_adapters.loadtest.report.thinning import short
from triollama_adapters.loadtest.report.units import (
    NOTHING,
    show_count,
    show_interval,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.report.verdicts import tell_client, tell_objectives
from triollama_adapters.loadtest.report.words import describe, headline_percentile
from triollama_adapters.loadtest.result import (
    Counts,
    EndpointFound,
    LedgerFound,
    Result,
)

__all__ = ["PERCENTILES", "tell_ledger", "tell_run"]

PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p99.9")

EVENTS_MOST: Final = 500
LOOKS_MOST: Final = 300
DETAILS_MOST: Final = 5
"""Of each class of errors, how many different messages are shown."""

DETAIL_CHARACTERS: Final = 200


def tell_run(result: Result, points: int) -> dict[str, Any]:
    """All that a page shows of one run.

    Args:
        result: the run.
        points: of each curve, at most.
    """
    events = min(points, EVENTS_MOST)
    return {
        "name": result.name,
        "headline": describe(result),
        "remarks": [[each.tone, each.text] for each in remark(result)],
        "tiles": list(_tiles(result)),
        "verdict": tell_client(result),
        "objectives": tell_objectives(result),
        "latencies": list(_latencies(result)),
        "counts": list(_counts(result)),
        "series": draw_series(result, points),
        "limits": {each.metric: each.limit for each in result.plan.objectives},
        "cdfs": draw_cdfs(result.metrics, min(points, 300)),
        "ledger": tell_ledger(result.ledger),
        "heat": draw_heat(result, min(points, 240)),
        "endpoints": [_part(each, name_endpoint(each.name)) for each in result.endpoints],
        "scenarios": [_part(each, each.name) for each in result.scenarios],
        "errors": list(_errors(result.counts)),
        "events": [
            [short(each.at_s), each.kind, name_endpoint(each.endpoint), each.text]
            for each in result.events[:events]
        ],
        "events_left_out": max(0, len(result.events) - events),
        "loaded": draw_loaded(result),
        "host": draw_host(result, min(points, LOOKS_MOST)),
        "plan": tell_plan(result.plan),
        "mix": [[each.name, tell_scenario(each)] for each in result.plan.workload.scenarios],
        "environment": tell_environment(result),
        "command": result.environment.command,
    }


def _tiles(result: Result) -> Iterator[dict[str, str]]:
    rates = result.rates
    offered = f"of {show_number(rates.offered)}/s offered"
    yield _tile("completed", "Answered", show_number(rates.completed), "/s", offered)
    yield _tile(
        "output_tokens",
        "Output tokens",
        show_number(rates.output_tokens),
        "/s",
        _prompt_tokens(result),
    )
    for metric in ("ttft", "tpot", "e2e"):
        if (found := headline_percentile(result, metric)) is None:
            continue
        name, value = found
        number, _, unit = show_s(value).partition(" ")
        figure = METERS[metric]
        ends = show_interval(result.metrics[metric].percentiles.get(name))
        yield {
            "title": f"{figure.short} {name}",
            "value": number,
            "unit": unit,
            "below": f"95 %: {ends}" if ends else figure.title,
            "meaning": figure.meaning,
        }
    if result.attained is not None:
        share = result.attained.share
        goodput = f"goodput {show_number(rates.goodput)}/s"
        number, _, unit = show_share(share.value).rpartition(" ")
        yield _tile("attainment", "Attainment", number, unit, goodput)
    failed = sum(result.counts.errors.values())
    number, _, unit = show_share(failed / max(1, result.counts.scheduled)).rpartition(" ")
    yield _tile(
        "errors",
        "Failed",
        number,
        unit,
        f"{failed:,} of {show_count(result.counts.scheduled, 'request')}",
    )


def _tile(name: str, title: str, value: str, unit: str, below: str) -> dict[str, str]:
    return {
        "title": title,
        "value": value,
        "unit": unit,
        "below": below,
        "meaning": FIGURES[name].meaning,
    }


def _prompt_tokens(result: Result) -> str:
    read = show_number(result.rates.prompt_tokens)
    return f"prompts: {read}/s, {show_number(result.rates.uncached_prompt_tokens)} not cached"


def _latencies(result: Result) -> Iterator[dict[str, Any]]:
    for name, figure in METERS.items():
        if (found := result.metrics.get(name)) is None:
            continue
        cells = []
        for percentile in PERCENTILES:
            interval = found.percentiles.get(percentile)
            shown = show_s(interval.value) if interval else "too few"
            cells.append([shown, show_interval(interval)])
        yield {
            "short": figure.short,
            "title": figure.title,
            "meaning": figure.meaning,
            "count": f"{found.count:,}",
            "mean": show_s(found.mean_s),
            "percentiles": cells,
            "most": show_s(found.most_s),
        }


def _counts(result: Result) -> Iterator[tuple[str, str]]:
    counts = result.counts
    yield "due", f"{counts.scheduled:,}"
    yield "sent", f"{counts.sent:,}"
    yield "answered", f"{counts.ok:,}"
    yield "failed", f"{sum(counts.errors.values()):,}"
    yield "users left", f"{counts.cancelled:,}"
    yield "cut off", f"{counts.censored:,}"
    yield "in the warm-up", f"{counts.before:,}"
    yield "chunks", f"{counts.chunks:,}"
    yield "paused for more than 1 s", f"{counts.paused:,}"
    yield "went on elsewhere", f"{counts.continued:,}"


def tell_ledger(ledger: LedgerFound | None) -> dict[str, Any] | None:
    """The ledger with its shares; None where there is none."""
    if ledger is None or not ledger.count:
        return None
    total = sum(ledger.mean_s.values())
    terms = [
        {
            "key": key,
            "mean": short(mean_s),
            "mean_shown": show_s(mean_s),
            "p95_shown": show_s(ledger.p95_s.get(key)),
            "share": show_share(mean_s / total) if total else NOTHING,
        }
        for key, mean_s in in_order(ledger.mean_s)
    ]
    return {
        "terms": terms,
        "is_timed": "decode" in ledger.mean_s,
        "total": show_s(total),
        "count": f"{ledger.count:,}",
        "overhead": show_s(ledger.overhead_s),
        "is_calibrated": ledger.is_calibrated,
        "is_trusted": ledger.is_trusted,
        "disagreeing": show_share(ledger.disagreeing),
        "cold": ledger.cold,
        "reloads": ledger.reloads,
        "note": ledger.note,
    }


def _part(found: EndpointFound, name: str) -> dict[str, Any]:
    """One endpoint or scenario, as a row, with its ledger for the bars."""

    def at(metric: str, percentile: str) -> str:
        spread = found.metrics.get(metric)
        interval = spread.percentiles.get(percentile) if spread else None
        return show_s(interval.value) if interval else NOTHING

    failed = sum(found.counts.errors.values())
    return {
        "name": name,
        "cells": [
            f"{found.counts.scheduled:,}",
            f"{show_number(found.rates.completed)}/s",
            f"{show_number(found.rates.output_tokens)}/s",
            at("ttft", "p50"),
            at("ttft", "p95"),
            at("tpot", "p95"),
            at("e2e", "p95"),
            f"{failed:,}",
        ],
        "ledger": tell_ledger(found.ledger),
    }


def _errors(counts: Counts) -> Iterator[dict[str, Any]]:
    for kind, count in sorted(counts.errors.items(), key=lambda item: -item[1]):
        said: Mapping[str, int] = counts.details.get(kind, {})
        most = sorted(said.items(), key=lambda item: -item[1])[:DETAILS_MOST]
        yield {
            "kind": kind,
            "words": ERRORS.get(kind, kind),
            "count": count,
            "share": show_share(count / max(1, counts.scheduled)),
            "details": [[text[:DETAIL_CHARACTERS], times] for text, times in most],
        }
