"""What load tests found, written and printed, and how the program ends then."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

import trio

from triollama_adapters.cli._failures import EXIT_INTERRUPTED
from triollama_adapters.cli._live import open_console
from triollama_adapters.cli._load_ending import ending_of
from triollama_adapters.cli._load_files import Files, put
from triollama_adapters.cli._load_stored import encode_found
from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.markdown import make_markdown
from triollama_adapters.loadtest.report.page import make_page
from triollama_adapters.loadtest.report.rows import make_csv
from triollama_adapters.loadtest.report.searches import Found
from triollama_adapters.loadtest.report.table import make_table
from triollama_adapters.loadtest.result import Event, Result
from triollama_adapters.words import one_line

__all__ = ["end", "nothing", "publish", "publish_one"]

EVENTS_MAX: Final = 20
"""That a summary tells; a report has all."""


async def publish_one(result: Result, files: Files, *, force: bool) -> int:
    """Write and print one run; the exit code is the run's."""
    await publish([result], None, files, force=force, lines=_told(result.events))
    return end(*ending_of(result))


async def publish(
    results: Sequence[Result],
    search: Found | None,
    files: Files,
    *,
    force: bool,
    differences: Sequence[Difference] | None = None,
    lines: Sequence[str] = (),
    is_quiet: bool = False,
) -> None:
    """Write what was asked for, and print the summary.

    Args:
        results: the runs; none for `Discovered`.
        search: what was found from them.
        files: what is written.
        force: whether files that exist are replaced.
        differences: between the first two runs; None: they are looked for.
        lines: said below the summary.
        is_quiet: whether no summary is printed.

    Raises:
        ReportError: a file cannot be written.
    """
    out = sys.stderr if files.is_stdout_taken else sys.stdout
    if not is_quiet:
        make = partial(make_table, results, search=search, differences=differences)
        open_console(out).print(await trio.to_thread.run_sync(make))
        out.write("".join(f"{line}\n" for line in ("", *lines) if lines))
    write = partial(_write, results, search, differences, files, force=force)
    for path in await trio.to_thread.run_sync(write):
        out.write(f"written to {path}\n")


def _told(events: Sequence[Event]) -> list[str]:
    """What happened, a line each; of very many the first ones."""
    told = [
        one_line(f"{each.at_s:6.1f} s  {each.endpoint}  {each.text}")
        for each in events[:EVENTS_MAX]
    ]
    more = len(events) - len(told)
    return [*told, f"and {more:,} events more"] if more else told


def end(code: int, why: str) -> int:
    """Say why a command does not end with 0, and give the code."""
    if why:
        word = "" if code == EXIT_INTERRUPTED else "error: "
        sys.stderr.write(f"{word}{' '.join(why.split())}\n")
    return code


def nothing() -> int:
    """Stopped before anything was measured."""
    return end(EXIT_INTERRUPTED, "interrupted: nothing was measured")


def _write(
    results: Sequence[Result],
    search: Found | None,
    differences: Sequence[Difference] | None,
    files: Files,
    *,
    force: bool,
) -> list[str]:
    """Blocking. What was written where; the page last, it is what people open."""
    markdown = partial(make_markdown, results, search=search, differences=differences)
    page = partial(make_page, results, search=search, differences=differences)
    texts = (
        (files.csv, lambda: make_csv(results, search=search)),
        (files.markdown, markdown),
        (files.json, lambda: encode_found(results, search)),
        (files.report, page),
    )
    return [path for where, make in texts if (path := put(where, make, force=force))]
