"""What a user sees of a batch job: while it runs, and of one that is looked at. No decisions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import trio

from triollama_adapters.batch.input.source import RowSource
from triollama_adapters.batch.ledger.ledger import BatchState
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.recovery import Recovery
from triollama_adapters.batch.work.job import Job, Progress
from triollama_adapters.cli._live import open_picture

__all__ = [
    "describe_end",
    "describe_progress",
    "describe_recovery",
    "describe_state",
    "show_job",
]

RATE_FROM_S: Final = 1.0
"""Before that a rate says nothing."""


async def show_job(job: Job, source: RowSource, stderr: IO[str]) -> None:
    """Show how far a job is, until this is cancelled."""
    with open_picture(stderr) as picture:
        while True:
            await trio.sleep(picture.every_s)
            took_s = time.monotonic() - job.progress.begun_s
            line = describe_progress(job.progress, _share(source), took_s)
            picture.show(f"{int(took_s) // 60}:{int(took_s) % 60:02}  {line}", line)


def describe_progress(progress: Progress, share: float | None, took_s: float) -> str:
    """How far a job is, in one line.

    Args:
        progress: the numbers.
        share: of the input that was read, from 0 to 1; None if nobody knows.
        took_s: since it began.
    """
    return ", ".join(_numbers(progress, share, took_s))


def _numbers(progress: Progress, share: float | None, took_s: float) -> Iterator[str]:
    done = progress.answered + progress.failed
    if share is not None:
        yield f"{share:.0%} of the input read"
    yield f"{done:,} done"
    if progress.skipped:
        yield f"{progress.skipped:,} before"
    yield f"{progress.failed:,} failed"
    yield f"{progress.running:,} running"
    if took_s >= RATE_FROM_S:
        yield f"{done / took_s:,.1f} rows/s"
        yield f"{progress.output_tokens / took_s:,.0f} tokens/s"


def describe_state(state: BatchState) -> Iterator[str]:
    """How far a job is, as a table of lines."""
    yield f"rows answered         {state.done:,}"
    yield f"rows failed           {state.failed:,}"
    for kind, count in sorted(state.errors.items(), key=lambda each: -each[1]):
        yield f"  {kind:<20}{count:,}"
    yield f"tokens                {state.output_tokens:,}  (prompts: {state.input_tokens:,})"


def describe_end(output: Path, state: BatchState, progress: Progress | None) -> Iterator[str]:
    """What came of a run, as lines.

    Args:
        output: where the answers are.
        state: what the job has, this run and earlier ones together.
        progress: of this run; None if it came to nothing.
    """
    yield from describe_state(state)
    if state.failed:
        yield f"errors                {Paths(output).errors}"
    if progress is not None and progress.is_torn:
        yield (
            "the input's last line has no end: its row is left out; when the line is whole, "
            f"go on with: triollama batch resume {output}"
        )


def describe_recovery(recovery: Recovery) -> str:
    """What had to be done to the files of a job that had died, in one line."""
    told = [f"{recovery.cut_bytes:,} bytes that no journal knows are cut off"]
    if recovery.forgotten_rows:
        told.append(f"{recovery.forgotten_rows:,} rows are asked again")
    if recovery.is_rebuilt:
        told.append("the journal is made anew from the output")
    told += [f"what was there is kept in {path}" for path in recovery.kept]
    if recovery.put_aside is not None:
        told.append(f"the old journal is {recovery.put_aside}")
    return "; ".join(told)


def _share(source: RowSource) -> float | None:
    size = source.size_bytes
    return min(1.0, source.read_bytes / size) if size else None
