"""How long until a batch that is resumed asks its first row? A million rows are done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import attrs
import trio

from benchmarks.clients.rows import open_folder
from benchmarks.figures import Bar
from benchmarks.measure import Meter, rss_bytes_max
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.batch_answers import (
    TOKENS,
    Echo,
    answer_once,
    line_of,
    recipe_of,
    write_input,
)
from triollama_adapters.batch.input.json_lines import DIGEST_BYTES
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import NOTHING, Frame, Mark, Span
from triollama_adapters.batch.ledger.journal import About, Journal
from triollama_adapters.batch.ledger.ledger import open_ledger
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.settings import plain
from triollama_adapters.batch.ledger.standing import short_digest
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.job import Limits

ROWS, NEW = 1_000_000, 1_000
"""Rows that are done, and rows after them that are not."""

GROUP = 50
"""Rows of a commit, see `batch_commit`."""

FRAMES_AT_ONCE = 1_000
"""Groups that are written in one transaction, to be done sooner."""

WAIT_S = 3_600.0

OPENINGS = 3
"""How often it is resumed: nothing is kept of what the new rows are answered."""

TRIAL = Trial(
    name="batch_resume",
    rows=(
        TrialRow(
            "batch-resume",
            f"a batch with {ROWS:,} finished rows is resumed: until its first new row is asked, "
            "each row before it compared with the one that was answered",
            "first",
            "s",
            Bar(3),
            (
                ("opened", "s until its files are open and checked"),
                ("cpu", "s CPU in all"),
                ("memory", "MiB of RSS at most"),
            ),
        ),
    ),
    repetitions_max=1,
    run_s=20.0,
    deadline_s=120.0,
)


def run(_seed: int) -> Finding:
    """Make a batch of which most rows are done, and resume it a few times."""
    return trio.run(_run)


async def _run() -> Finding:
    asked = await answer_once()
    with open_folder() as folder:
        source, sink = folder / "prompts.jsonl", folder / "answers.jsonl"
        write_input(source, ROWS + NEW)
        recipe = recipe_of(source)
        _make(Paths(sink), recipe)
        found = [await _resume(recipe, sink, asked) for _ in range(OPENINGS)]
    quickest = min(found, key=lambda each: each["first"])
    faults = [] if all(each["skipped"] == ROWS for each in found) else ["not all rows were done"]
    return Finding(quickest | {"memory": rss_bytes_max() / 2**20}, tuple(faults))


async def _resume(recipe: Recipe, sink: Path, asked: Asked) -> dict[str, float]:
    """Open the batch, run it until a row is asked, and leave it as it was."""
    meter = Meter()
    meter.begin()
    began_s = time.monotonic()
    async with (
        open_ledger(sink, None, is_resumed=True) as ledger,
        open_rows(recipe.wanted()) as rows,
    ):
        opened_s = time.monotonic()
        asker = _First(asked)
        job = make_job(rows, ledger, asker, recipe, Limits())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(job.run)
            await asker.is_asked.wait()
            first_s = time.monotonic()
            measured = meter.end(1)
            nursery.cancel_scope.cancel()
        return {
            "first": first_s - began_s,
            "opened": opened_s - began_s,
            "cpu": measured.user_s + measured.system_s,
            "skipped": float(job.progress.skipped),
        }


@attrs.frozen
class _First(Echo):
    """Says when it is asked, and never answers."""

    is_asked: trio.Event = attrs.field(factory=trio.Event)

    async def ask(self, ask: Ask) -> Asked:  # noqa: ARG002 - the protocol's
        """Wait until the run is over."""
        self.is_asked.set()
        await trio.sleep(WAIT_S)
        return self.asked


def _make(paths: Paths, recipe: Recipe) -> None:
    """Write what a batch leaves behind, without running it: the answers and the journal."""
    journal = Journal.open(paths.journal, Disk())
    try:
        journal.create(About(settings=plain(recipe.settings()), notes={}))
        with paths.output.open("wb") as output:
            frames = _frames(output)
            while some := list(islice(frames, FRAMES_AT_ONCE)):
                journal.append(*some)
    finally:
        journal.close()


def _frames(output: BinaryIO) -> Iterator[Frame]:
    """The groups; their records are written."""
    before = NOTHING
    for first in range(0, ROWS, GROUP):
        records = [_record(number) for number in range(first, first + GROUP)]
        marks = tuple(_mark(number, each) for number, each in enumerate(records, first))
        end = before.answers.end + output.write(b"".join(records))
        answers, totals = Span(before.answers.end, end), before.totals.plus(marks, ())
        before = Frame(before.id + 1, answers, Span(0, 0), marks, (), totals, time.time())
        yield before


def _record(number: int) -> bytes:
    return b'{"index": %d, "content": "Because of Rayleigh scattering."}\n' % number


def _mark(number: int, record: bytes) -> Mark:
    digest = blake2b(line_of(number).encode(), digest_size=DIGEST_BYTES).digest()
    return Mark(number, short_digest(digest), len(record), crc32(record), 0, 26, TOKENS)
