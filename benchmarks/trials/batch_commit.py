"""What does it cost to keep an answer? CPU of its record, of the output and of the journal."""

from __future__ import annotations

from pathlib import Path

import trio

from benchmarks.clients.rows import open_folder
from benchmarks.figures import Bar
from benchmarks.measure import Measurement, Meter
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.batch_answers import answer_once, recipe_of, write_input
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.ledger import Ledger, open_ledger
from triollama_adapters.batch.making import entry_of
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.asking import Asked

ROWS, WARM_UP = 10_000, 1_000

GROUP = 50
"""Rows of a commit, as many as a job gathers that answers 1,500 a second: it waits for 20 ms, and
for the commit before. A slower one has less in a group, a faster one more."""

TRIAL = Trial(
    name="batch_commit",
    rows=(
        TrialRow(
            "batch-commit",
            f"a batch's record, output and journal, {GROUP} rows a commit, each waited for",
            "cpu",
            "µs CPU per row",
            Bar(120),
            (
                ("record", "µs CPU per row"),
                ("commit", "ms CPU each"),
                ("commit takes", "ms each"),
                ("written", "bytes per row"),
            ),
        ),
    ),
    repetitions_max=3,
    run_s=5.0,
)


def run(_seed: int) -> Finding:
    """Shape and keep rows that have been answered."""
    return trio.run(_run)


async def _run() -> Finding:
    asked = await answer_once()
    with open_folder() as folder:
        source, sink = folder / "prompts.jsonl", folder / "answers.jsonl"
        write_input(source, WARM_UP + ROWS)
        recipe = recipe_of(source)
        rows = await _read(recipe)
        async with open_ledger(sink, recipe.settings(), is_resumed=False) as ledger:
            await _keep(ledger, recipe, rows[:WARM_UP], asked)
            whole = await _keep(ledger, recipe, rows[WARM_UP:], asked)
            shaping = _shape(recipe, rows[WARM_UP:], asked)
        return _finding(sink, rows, whole, shaping)


def _finding(sink: Path, rows: list[Row], whole: Measurement, shaping: Measurement) -> Finding:
    written = sink.read_bytes()
    faults = [] if written.count(b"\n") == len(rows) else ["not every row was kept once"]
    commits = ROWS / GROUP
    cpu_s = whole.user_s + whole.system_s - shaping.user_s - shaping.system_s
    figures = {
        "cpu": whole.cpu_us_each,
        "record": shaping.cpu_us_each,
        "commit": 1e3 * cpu_s / commits,
        "commit takes": 1e3 * (whole.ended_s - whole.began_s) / commits,
        "written": len(written) / len(rows),
    }
    return Finding(figures, tuple(faults))


async def _read(recipe: Recipe) -> list[Row]:
    rows: list[Row] = []
    async with open_rows(recipe.wanted()) as source:
        while (some := await source.read()) is not None:
            rows += some
    return rows


async def _keep(ledger: Ledger, recipe: Recipe, rows: list[Row], asked: Asked) -> Measurement:
    records, meter = recipe.records(None), Meter()
    meter.begin()
    for at in range(0, len(rows), GROUP):
        await ledger.commit([entry_of(records, row, asked) for row in rows[at : at + GROUP]])
    return meter.end(len(rows))


def _shape(recipe: Recipe, rows: list[Row], asked: Asked) -> Measurement:
    """The part of it that makes records."""
    records, meter = recipe.records(None), Meter()
    meter.begin()
    for row in rows:
        entry_of(records, row, asked)
    return meter.end(len(rows))
