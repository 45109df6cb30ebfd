"""A report as Markdown, for an issue: what a reader needs without opening the page. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.brief import (
    LATENCY_COLUMNS,
    METRICS,
    brief_changes,
    brief_latencies,
    brief_ledger,
    brief_runs,
    change_columns,
)
from triollama_adapters.loadtest.report.changes import note_changes
from triollama_adapters.loadtest.report.definitions import FIGURES, METERS, TERMS
from triollama_adapters.loadtest.report.discovered import tell_discovered
from triollama_adapters.loadtest.report.remarks import remark
from triollama_adapters.loadtest.report.searches import (
    Found,
    describe_search,
    differences_of,
    remark_search,
    runs_of,
    sides_of,
)
from triollama_adapters.loadtest.report.settings import tell_environment, tell_plan
from triollama_adapters.loadtest.report.words import Remark, Tone, describe
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import Discovered

__all__ = ["make_markdown"]

SIGNS: Final[dict[Tone, str]] = {"good": "✅", "bad": "❌", "doubt": "❔", "note": "•"}


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
        blocks.append(_table(*brief_runs(runs)))
    if changes:
        columns = change_columns(sides_of(runs))
        blocks.append(_table(columns, list(brief_changes(changes, SIGNS))))
        blocks += [note_changes(changes), _folded("Definition", FIGURES["differences"].meaning)]
    if isinstance(search, Discovered):
        for each in tell_discovered(search):
            blocks += [f"**{_plain(each['name'])}**", _table(["what", "found", ""], each["rows"])]
    if len(runs) == 1:
        blocks += _run(runs[0].result)
    return "\n\n".join(each for each in blocks if each) + "\n"


def _run(result: Result) -> Iterator[str]:
    yield f"### {_plain(describe(result))}"
    yield from _listed(remark(result))
    yield _table(LATENCY_COLUMNS, list(brief_latencies(result)))
    if rows := [[TERMS[term].title, *cells] for term, _, cells in brief_ledger(result.ledger)]:
        yield _table(["where the time goes", "mean", "share", "p95"], rows)
    yield _folded(
        "Definitions", _list([(METERS[name].short, METERS[name].meaning) for name in METRICS])
    )
    yield _folded("How it was run", _list([*tell_plan(result.plan), *tell_environment(result)]))
    if result.environment.command:
        yield f"```console\n{result.environment.command}\n```"


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
