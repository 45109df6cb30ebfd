"""A report as Markdown, for an issue: what a reader needs without opening the page. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.compared import RUN_COLUMNS, tell_change, tell_row
from triollama_adapters.loadtest.report.definitions import METERS, TERMS, in_order
from triollama_adapters.loadtest.report.discovered import tell_discovered
from triollama_adapters.loadtest.report.searches import (
    Found,
    describe_search,
    differences_of,
    remark_search,
    runs_of,
)
from triollama_adapters.loadtest.report.settings import tell_environment, tell_plan
from triollama_adapters.loadtest.report.units import NOTHING, show_s, show_share
from triollama_adapters.loadtest.report.words import Remark, Tone, describe, remark
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import Discovered

__all__ = ["make_markdown"]

SIGNS: Final[dict[Tone, str]] = {"good": "✅", "bad": "❌", "doubt": "❔", "note": "•"}

METRICS: Final = ("ttft", "ttft_service", "tpot", "icl", "e2e", "start_delay")
"""Those that an issue needs; the page has all of them."""

PERCENTILES: Final = ("p50", "p90", "p95", "p99")


def make_markdown(
    results: Sequence[Result],
    *,
    search: Found | None = None,
    differences: Sequence[Difference] | None = None,
) -> str:
    """The runs as Markdown: the sentence, what to know besides, tables.

    Args:
        results: as `page.make_page` takes them; so the others.
        search: what was found.
        differences: between the first two runs; None for what `measures.compare` finds.
    """
    changes = differences_of(results, search, differences)
    runs = runs_of(results, search)
    blocks: list[str] = []
    if headline := describe_search(results, search, changes):
        blocks += [f"### {_plain(headline)}", *_listed(remark_search(search))]
    if len(runs) > 1:
        rows = [[each.label, *tell_row(each)["cells"], each.verdict] for each in runs]
        blocks.append(_table(["run", *RUN_COLUMNS, "verdict"], rows))
    if changes:
        blocks.append(_differences(changes))
    if isinstance(search, Discovered):
        for each in tell_discovered(search):
            blocks += [f"**{_plain(each['name'])}**", _table(["what", "found", ""], each["rows"])]
    if len(runs) == 1:
        blocks += _run(runs[0].result)
    return "\n\n".join(each for each in blocks if each) + "\n"


def _run(result: Result) -> Iterator[str]:
    yield f"### {_plain(describe(result))}"
    yield from _listed(remark(result))
    yield _table(["latency", "count", "mean", *PERCENTILES], list(_latencies(result)))
    ledger = result.ledger
    if ledger is not None and (total := sum(ledger.mean_s.values())) > 0:
        rows = [
            [
                TERMS[term].title,
                show_s(mean_s),
                show_share(mean_s / total),
                show_s(ledger.p95_s.get(term)),
            ]
            for term, mean_s in in_order(ledger.mean_s)
        ]
        yield _table(["where the time goes", "mean", "share", "p95"], rows)
    yield _folded(
        "Definitions", _list([(METERS[name].short, METERS[name].meaning) for name in METRICS])
    )
    yield _folded("How it was run", _list([*tell_plan(result.plan), *tell_environment(result)]))
    if result.environment.command:
        yield f"```console\n{result.environment.command}\n```"


def _latencies(result: Result) -> Iterator[list[str]]:
    for name in METRICS:
        if (found := result.metrics.get(name)) is None:
            continue
        known = (found.percentiles.get(each) for each in PERCENTILES)
        cells = [show_s(each.value) if each else NOTHING for each in known]
        yield [METERS[name].short, f"{found.count:,}", show_s(found.mean_s), *cells]


def _differences(differences: Sequence[Difference]) -> str:
    told = [tell_change(each) for each in differences]
    rows = [
        [
            each["figure"],
            each["before"],
            each["after"],
            f"{each['change']} ({each['ends']})",
            f"{SIGNS[each['tone']]} {each['verdict']}",
        ]
        for each in told
    ]
    return _table(["figure", "before", "after", "change (95 %)", "verdict"], rows)


def _listed(remarks: Sequence[Remark]) -> Iterator[str]:
    if remarks:
        yield "\n".join(f"- {SIGNS[each.tone]} {_plain(each.text)}" for each in remarks)


def _list(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {_plain(name)}: {_plain(value)}" for name, value in rows)


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; numbers to the right, the first column to the left."""
    lines = [
        names,
        ["---", *("--:" for _ in names[1:])],
        *([_plain(each) for each in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _plain(text: str) -> str:
    """A text, perhaps from a server, that Markdown takes for nothing else."""
    line = " ".join(text.split())
    for sign in "\\`*_[]|":
        line = line.replace(sign, f"\\{sign}")
    return line.replace("<", "&lt;").replace("@", "@\N{ZERO WIDTH SPACE}")
