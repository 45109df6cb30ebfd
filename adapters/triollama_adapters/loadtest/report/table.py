"""A report in a terminal, at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.brief import (
    LATENCY_COLUMNS,
    brief_changes,
    brief_latencies,
    brief_ledger,
    brief_runs,
    change_columns,
)
from triollama_adapters.loadtest.report.changes import note_changes
from triollama_adapters.loadtest.report.definitions import TERMS
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
from triollama_adapters.loadtest.report.words import Remark, Tone, describe
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import Discovered
from triollama_adapters.words import plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["make_table"]

STYLES: Final[dict[Tone, str]] = {"good": "green", "bad": "red", "doubt": "yellow", "note": "dim"}
SIGNS: Final[dict[Tone, str]] = {"good": "✓", "bad": "✗", "doubt": "?", "note": "·"}

BAR_COLUMNS: Final = 24
"""Of the bar of a ledger's term, when it is all of the time."""


def make_table(
    results: Sequence[Result],
    *,
    search: Found | None = None,
    differences: Sequence[Difference] | None = None,
) -> RenderableType:
    """The runs for a terminal: the sentence, what to know besides, latencies, the ledger.

    It needs the extra ``cli``. Signs say the same as the colours, which a terminal may not have.

    Args:
        results: as `page.make_page` takes them; so the others.
        search: what was found.
        differences: between the first two runs; None for what `measures.compare` finds.
    """
    from rich.console import Group  # noqa: PLC0415 - only who shows it needs the extra

    changes = differences_of(results, search, differences)
    runs = runs_of(results, search)
    parts: list[RenderableType] = []
    if headline := describe_search(results, search, changes):
        parts += [_headline(headline), *map(_remark, remark_search(search))]
    if len(runs) > 1:
        # Why a run was met or missed has no room beside its figures.
        names, rows = brief_runs(runs)
        if names[-1] == "verdict":
            rows = [[*row[:-1], row[-1].partition(":")[0]] for row in rows]
        parts += ["", _table(names, rows)]
    if changes:
        columns = change_columns(sides_of(runs))
        rows = list(brief_changes(changes, SIGNS))
        parts += ["", _table(columns, rows), _remark(Remark("note", note_changes(changes)))]
    if isinstance(search, Discovered):
        for each in tell_discovered(search):
            parts += [
                "",
                _headline(each["name"]),
                _table(("what", "found", ""), each["rows"], text=("found", "")),
            ]
    if len(runs) == 1:
        parts += _run(runs[0].result)
    return Group(*parts)


def _run(result: Result) -> Iterator[RenderableType]:
    yield _headline(describe(result))
    yield from map(_remark, remark(result))
    if rows := list(brief_latencies(result)):
        yield ""
        yield _table(LATENCY_COLUMNS, rows)
    if told := [
        [TERMS[term].short, *cells, "█" * round(BAR_COLUMNS * share)]
        for term, share, cells in brief_ledger(result.ledger)
    ]:
        yield ""
        yield _table(("where the time goes", "mean", "share", "p95", ""), told, text=("",))


def _headline(text: str) -> Text:
    from rich.text import Text  # noqa: PLC0415 - as above

    return Text(plain(text), "bold")


def _remark(told: Remark) -> Text:
    from rich.text import Text  # noqa: PLC0415 - as above

    line = Text(f"{SIGNS[told.tone]} ", STYLES[told.tone])
    return line.append(plain(told.text), "dim" if told.tone == "note" else "default")


def _table(
    names: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[str] = ("verdict",)
) -> Table:
    """A table without a frame; numbers to the right, the first column and `text` to the left."""
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=None, pad_edge=False, header_style="dim")
    for n, name in enumerate(names):
        table.add_column(name, justify="left" if n == 0 or name in text else "right")
    for row in rows:
        table.add_row(*(Text(plain(each)) for each in row))
    return table
