"""The commands ``triollama load compare`` and ``report``: what was found before."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table
from rich.text import Text

from triollama_adapters.cli._failures import EXIT_OK, EXIT_SOME_FAILED, CliError
from triollama_adapters.cli._live import open_console
from triollama_adapters.cli._load_files import NOWHERE, Files
from triollama_adapters.cli._load_publish import publish
from triollama_adapters.cli._load_stored import Stored, load_found
from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.measures.compare import compare as differences_of
from triollama_adapters.loadtest.report.units import show_number, show_s, show_share
from triollama_adapters.loadtest.result import Result

__all__ = ["COMPARE_EXAMPLES", "REPORT_EXAMPLES", "compare", "report"]

COMPARE_EXAMPLES: Final = """
Examples:

* `triollama load compare before.json after.json`
* `triollama load compare before.json after.json --fail-if-worse --report compared.html`
"""

REPORT_EXAMPLES: Final = """
Examples:

* `triollama load report run.json --report report.html`
* `triollama load report monday.json tuesday.json --csv runs.csv --markdown -`
"""

STYLES: Final = {"better": "green", "worse": "red", "same": "dim", "undetermined": "yellow"}


async def compare(
    before: Path,
    after: Path,
    /,
    *,
    fail_if_worse: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--as-json", negative=())] = False,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    files: Files = NOWHERE,
) -> int:
    """Say what changed from one run to another, and whether it is more than noise.

    Each figure has a bootstrap interval of its change, and a verdict: better, worse, same (within
    1 %), or undetermined.

    Args:
        before: The run before, as --json wrote it.
        after: The run after.
        fail_if_worse: End with 1 if a figure is worse.
        as_json: Print the differences as JSON, instead of a table.
        seed: Of the bootstrap.
        files: What is written.

    Returns:
        The exit code.
    """
    force = await trio.to_thread.run_sync(files.check)
    first = await trio.to_thread.run_sync(_one, before)
    second = await trio.to_thread.run_sync(_one, after)
    found = await trio.to_thread.run_sync(lambda: differences_of(first, second, seed=seed))
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        open_console(sys.stdout).print(_table(found, str(before), str(after)))
    if any(files.paths()) or files.is_stdout_taken:
        await publish([first, second], None, files, force=force, is_quiet=True)
    is_worse = any(each.verdict == "worse" for each in found)
    return EXIT_SOME_FAILED if is_worse and fail_if_worse else EXIT_OK


async def report(
    results: Annotated[tuple[Path, ...], Parameter(negative_iterable=())],
    /,
    *,
    files: Files = NOWHERE,
) -> int:
    """Make a report of runs that were kept as JSON; several become one.

    Args:
        results: Runs or searches, as --json wrote them; a search by itself.
        files: What is written; the summary is printed in any case.

    Returns:
        The exit code.
    """
    if not results:
        raise CliError("give at least one file, as --json wrote it")
    force = await trio.to_thread.run_sync(files.check)
    stored = [await trio.to_thread.run_sync(load_found, path) for path in results]
    if len(stored) > 1 and any(each.search is not None for each in stored):
        raise CliError("a search has a report of its own; give it by itself")
    runs = [run for each in stored for run in each.results]
    await publish(runs, stored[0].search, files, force=force)
    return EXIT_OK


def _one(path: Path) -> Result:
    """The one run of a file.

    Raises:
        CliError: it has several.
        ReportError: it cannot be read.
    """
    stored: Stored = load_found(path)
    if stored.search is not None or len(stored.results) != 1:
        raise CliError(f"{path} has a search, not one run; make its report: triollama load report")
    return stored.results[0]


def _table(found: Sequence[Difference], before: str, after: str) -> Table:
    """A line per figure."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("figure", no_wrap=True)
    table.add_column(before, justify="right", overflow="ellipsis", no_wrap=True)
    table.add_column(after, justify="right", overflow="ellipsis", no_wrap=True)
    table.add_column("change (95 %)", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in found:
        table.add_row(
            each.figure,
            _figure(each.before, each.unit),
            _figure(each.after, each.unit),
            _change(each),
            Text(each.verdict, STYLES[each.verdict]),
        )
    return table


def _figure(value: float, unit: str) -> str:
    if unit == "s":
        return show_s(value)
    return show_share(value) if unit == "share" else f"{show_number(value)}/s"


def _change(each: Difference) -> str:
    """The change and its interval, in percent, or in points where it is of a share."""
    points = " points" if each.unit == "share" else " %"
    ends = (each.change.low, each.change.high)
    told = f"{100 * each.change.value:+.1f}"
    if None not in ends:
        told += " (" + " to ".join(f"{100 * end:+.1f}" for end in ends if end is not None) + ")"
    return told + points
