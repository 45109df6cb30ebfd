"""Does memory grow with the input? A whole job, whose answers are in memory already."""

from __future__ import annotations

from pathlib import Path

import trio

from benchmarks.clients.rows import open_folder
from benchmarks.figures import Bar
from benchmarks.measure import rss_bytes_max
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.batch_answers import Echo, answer_once, recipe_of, write_input
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.ledger import open_ledger
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.job import Limits

FEW, MANY = 40_000, 200_000
FULL_FEW, FULL_MANY = 100_000, 10_000_000
"""Rows of the two inputs, and with ``--full``."""

GROWTH_PERCENT_MAX = 10.0
"""What is flat: of ten million rows each takes an eighth of a byte, 1.2 MiB or 2 %; the rest is for
what an allocator does not give back in half an hour."""

MIB = 2**20

_WHAT = (
    f"a batch of {MANY:,} rows (with --full {FULL_MANY:,}), read, answered from memory and kept: "
    "the most memory that its process ever had"
)

TRIAL = Trial(
    name="batch_memory",
    rows=(
        TrialRow(
            "batch-memory",
            _WHAT,
            "many",
            "MiB of RSS",
            Bar(150),
            (
                ("few", "MiB at the lower number of rows"),
                ("resumed", "MiB when it is then resumed with all rows done"),
                ("rows", "rows"),
            ),
        ),
        TrialRow(
            "batch-memory-growth",
            f"the same, beside that for {FEW:,} rows (with --full {FULL_FEW:,})",
            "growth",
            "% more",
            Bar(GROWTH_PERCENT_MAX),
        ),
    ),
    repetitions_max=1,
    run_s=35.0,
    deadline_s=300.0,
    is_timeless=True,
    full_s=1_300.0,
)


def run(_seed: int) -> Finding:
    """Run two jobs, one after the other."""
    return trio.run(_run, FEW, MANY)


def run_full(_seed: int) -> Finding:
    """Run them with as many rows as there may be."""
    return trio.run(_run, FULL_FEW, FULL_MANY)


async def _run(few: int, many: int) -> Finding:
    asked = await answer_once()
    with open_folder() as folder:
        await _job(folder / "few.jsonl", few, asked)
        few_bytes = rss_bytes_max()
        kept = await _job(folder / "many.jsonl", many, asked)
        many_bytes = rss_bytes_max()
        found = await _resume(folder / "many.jsonl")
    faults = [] if kept == found == many else [f"of {many} rows {kept} were kept, {found} found"]
    figures = {
        "few": few_bytes / MIB,
        "many": many_bytes / MIB,
        "growth": 100 * (many_bytes / few_bytes - 1),
        "resumed": rss_bytes_max() / MIB,
        "rows": float(kept),
    }
    return Finding(figures, tuple(faults))


async def _job(source: Path, count: int, asked: Asked) -> int:
    """Answer an input; returns how many rows are kept."""
    write_input(source, count)
    recipe = recipe_of(source)
    async with (
        open_rows(recipe.wanted()) as rows,
        open_ledger(_sink(source), recipe.settings(), is_resumed=False) as ledger,
    ):
        await make_job(rows, ledger, Echo(asked), recipe, Limits()).run()
        return ledger.state.done


async def _resume(source: Path) -> int:
    """Open it once more; returns how many rows are found to be done."""
    async with open_ledger(_sink(source), None, is_resumed=True) as ledger:
        return ledger.state.done


def _sink(source: Path) -> Path:
    return source.with_name(f"answers-{source.name}")
