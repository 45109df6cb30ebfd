"""The command ``triollama batch export``: answers as a table or a matrix."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import trio
from cyclopts import Parameter

from triollama_adapters.batch.output.exporting import ExportProgress, export_answers
from triollama_adapters.cli._failures import EXIT_INTERRUPTED, EXIT_OK
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._live import open_picture
from triollama_adapters.cli._options import split_names

__all__ = ["export"]

SHOW_AFTER_S: Final = 2.0
"""What is done by then needs no progress."""


async def export(
    answers: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    sorted: Annotated[bool, Parameter(negative=())] = False,  # noqa: A002 - the option
    select: str | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Write the answers of a job as a table, or their embeddings as a matrix. Also while it runs.

    FILE.parquet needs triollama[parquet]. FILE.npy has the embeddings as 32-bit floats, in the
    order of the input, and FILE.index.csv beside it says which row is whose. It is there whole or
    not at all.

    Args:
        answers: The output of the job; or its file of errors.
        output: Where to: FILE.parquet, FILE.csv or FILE.npy.
        sorted: In the order of the input, rather than that in which the answers came.
        select: The columns, separated by commas. Default: all.
        force: Write over an existing file.

    Returns:
        The exit code.
    """
    progress = ExportProgress()
    work = partial(
        export_answers,
        answers,
        output,
        is_sorted=sorted,
        select=split_names(select) if select else (),
        force=force,
        progress=progress,
    )

    async def shown() -> None:
        async with trio.open_nursery() as showing:
            showing.start_soon(_show, progress)
            await work()
            showing.cancel_scope.cancel()

    if await run_until_stopped(shown):
        sys.stderr.write(f"interrupted; {output} was not written\n")
        return EXIT_INTERRUPTED
    sys.stderr.write(f"{progress.rows:,} rows are in {output}\n")
    return EXIT_OK


async def _show(progress: ExportProgress) -> None:
    await trio.sleep(SHOW_AFTER_S)
    with open_picture(sys.stderr) as picture:
        while True:
            share = progress.read_bytes / max(1, progress.size_bytes)
            line = f"{share:.0%} read, {progress.rows:,} rows written"
            picture.show(line, line)
            await trio.sleep(picture.every_s)
