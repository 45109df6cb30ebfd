"""The commands ``triollama load compare`` and ``report``: what was found before."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio
from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec.structs import replace

from triollama_adapters.cli._failures import EXIT_OK, EXIT_SOME_FAILED, CliError
from triollama_adapters.cli._load_files import NOWHERE, Files
from triollama_adapters.cli._load_publish import publish
from triollama_adapters.cli._load_stored import Stored, load_found
from triollama_adapters.loadtest.measures.compare import compare as differences_of
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

    Each figure has a bootstrap interval of its change, and a verdict: better, worse, no difference
    that matters (within 1 %; "same" in JSON), or undetermined. It holds against all figures at
    once.

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
    if files.json is not None:
        raise CliError("a comparison by itself is printed as JSON with --as-json")
    force = files.check()
    first = await trio.to_thread.run_sync(_one, before)
    second = await trio.to_thread.run_sync(_one, after)
    found = await trio.to_thread.run_sync(lambda: differences_of(first, second, seed=seed))
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    await publish([first, second], None, files, force=force, differences=found, is_quiet=as_json)
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
    force = files.check()
    stored = [await trio.to_thread.run_sync(_named, path) for path in results]
    if len(stored) > 1 and any(each.search is not None for each in stored):
        raise CliError("a search has a report of its own; give it by itself")
    runs = [run for each in stored for run in each.results]
    await publish(runs, stored[0].search, files, force=force)
    return EXIT_OK


def _named(path: Path) -> Stored:
    """What a file has; a run without a name is called like its file.

    Raises:
        ReportError: it cannot be read.
    """
    stored = load_found(path)
    if stored.search is not None:
        return stored
    return Stored(tuple(replace(each, name=each.name or path.stem) for each in stored.results))


def _one(path: Path) -> Result:
    """The one run of a file.

    Raises:
        CliError: it has several.
        ReportError: it cannot be read.
    """
    stored = _named(path)
    if stored.search is not None or len(stored.results) != 1:
        raise CliError(f"{path} has a search, not one run; make its report: triollama load report")
    return stored.results[0]
