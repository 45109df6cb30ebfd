"""``python -m benchmarks.publish``: put a run's table and charts into ``docs/benchmarks.md``.

What stands between `BEGIN` and `END` on that page is replaced, the rest is left alone; the charts
go to ``docs/figures``, where those that the page showed before are removed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.document import (
    LATEST,
    LATEST_LOAD,
    Document,
    Figure,
    NotResultsError,
    RowRead,
    read,
)
from benchmarks.figures import digits
from benchmarks.pictures import full_name_of, pictures
from benchmarks.processes import ROOT

BEGIN = "<!-- figures: made by python -m benchmarks.publish -->"
END = "<!-- end -->"

SHOWN = re.compile(r"\(figures/([\w-]+\.svg)\)")
"""A chart on the page."""

EXAMPLES = """\
examples:
  make bench bench-load bench-docs            measure, then put the results on the page
  python -m benchmarks.publish out.json       another run's results

exit status:
  0 the page was written, 2 the file is not a results file or the page has no place for it"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.publish",
        description="Put a run's table and charts into the page on benchmarks.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="?", type=Path, default=LATEST, metavar="RESULTS")
    parser.add_argument(
        "--load", type=Path, default=LATEST_LOAD, metavar="RESULTS", help="of the load tester"
    )
    docs = ROOT / "docs"
    parser.add_argument("--docs", type=Path, default=docs, metavar="FOLDER", help="default: docs")
    given = parser.parse_args(arguments)
    try:
        publish(read(given.results), read(given.load) if given.load.exists() else None, given.docs)
    except (NotResultsError, LookupError) as error:
        print(error.args[0], file=sys.stderr)
        return 2
    print(f"{given.docs / 'benchmarks.md'} shows {given.results}")
    return 0


def publish(results: Document, load: Document | None, docs: Path) -> None:
    """Write the charts, and the part of the page that shows them.

    Args:
        results: A run's of the engine.
        load: A run's of the load tester; None leaves its table out.
        docs: The folder with ``benchmarks.md``.

    Raises:
        LookupError: The page has no place for them; nothing was written.
    """
    page, folder = docs / "benchmarks.md", docs / "figures"
    charts = pictures(results)
    before = page.read_text()
    titles = {name: it[1] for name, it in charts.items()}
    made = section(results, titles)
    if load is not None:
        made += f"\n### The load tester\n\n{section(load, {})}"
    text = replaced(before, made)
    folder.mkdir(exist_ok=True)
    for old in SHOWN.findall(before[before.index(BEGIN) : before.index(END)]):
        (folder / old).unlink(missing_ok=True)
    for name, (drawn, _) in charts.items():
        (folder / name).write_text(drawn)
    page.write_text(text)


def replaced(page: str, made: str) -> str:
    """Return the page with another text between its two markers.

    Raises:
        LookupError: It does not have each of them once, in this order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest:
        raise LookupError(f"the page needs the lines {BEGIN!r} and, after it, {END!r}, once each")
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"


def section(results: Document, charts: dict[str, str]) -> str:
    """Return the Markdown between the markers.

    Args:
        results: A run's.
        charts: The title of each chart by its file name.
    """
    lines = [f"{_origin(results)}\n"]
    lines += [f"![{title}](figures/{name})\n" for name, title in charts.items()]
    lines += ["| Row | What | Result | Bar | | Beside |", "|---|---|---|---|---|---|"]
    lines += [_table_row(row) for row in results.rows]
    lines += ["", *_stacks(results), *_notes(results)]
    return "\n".join(lines)


def _origin(results: Document) -> str:
    facts = results.machine
    packages = facts.get("packages", {})
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    return (
        f"Measured on {results.made[:10]}: {facts.get('cores')} cores of {facts.get('processor')}, "
        f"{facts.get('kernel')}, {facts.get('python')}; {versions}. Medians of up to "
        f"{max((len(row.values) for row in results.rows), default=0)} repetitions, with the lowest "
        "and the highest."
    )


def _table_row(row: RowRead) -> str:
    value = row.value
    result = "no figure"
    if value is not None:
        spread = f"{digits(value.low)} to {digits(value.high)}"
        result = f"{digits(value.median)} {row.unit} ({spread})"
    figures = {} if row.kind == "stack" else row.absolute
    beside = "; ".join(_beside(name, figure) for name, figure in figures.items())
    bar = row.bar.show() if row.bar is not None else "no bar"
    cells = [
        f"`{row.name}`",
        row.what,
        result,
        bar,
        row.verdict,
        f"<sub>{beside}</sub>" if beside else "",
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _beside(name: str, figure: Figure) -> str:
    told, client = f"{digits(figure.median)} {figure.unit}", figure.client
    return f"{name} {told}" if client is None else f"{full_name_of(client)} {told}, {client.show()}"


def _stacks(results: Document) -> Iterator[str]:
    """What each layer adds, as one table per thing that it is the price of."""
    for row in results.rows:
        if row.kind == "stack" and row.absolute:
            names = [name.partition(": ")[2] for name in row.absolute]
            unit = next(iter(row.absolute.values())).unit
            medians = [digits(figure.median) for figure in row.absolute.values()]
            yield f"| {unit} | {' | '.join(names)} |"
            yield f"|---{'|---:' * len(names)}|"
            yield f"| `{row.name}` | {' | '.join(medians)} |"
            yield ""


def _notes(results: Document) -> Iterator[str]:
    for row in results.rows:
        for note in row.notes:
            yield f"- `{row.name}`: {note.splitlines()[0]}"
    if any(row.notes for row in results.rows):
        yield ""


if __name__ == "__main__":
    sys.exit(main())
