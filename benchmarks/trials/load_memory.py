"""Does memory grow with the number of requests, and can a report of a million be made?"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from benchmarks.clients.rows import open_folder
from benchmarks.figures import Bar
from benchmarks.load_runs import plan_for
from benchmarks.measure import rss_bytes_max
from benchmarks.trial import Finding, Trial, TrialRow
from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.samples_file import open_samples
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import OpenLoop, Phase
from triollama_adapters.loadtest.report.page import make_page
from triollama_adapters.loadtest.result import Environment
from triollama_adapters.loadtest.sample import Sample

FEW, MANY = 20_000, 200_000
FULL_FEW, FULL_MANY = 100_000, 1_000_000
"""Requests that are counted."""

RATE_PER_S = 1_000.0
CHUNKS = 16
MS = 1_000_000
MIB = 2**20

GROWTH_PERCENT_MAX = 10.0
"""What is flat; most of it is the series over time, which is as long as the run."""

_WHAT = f"{MANY:,} requests of {CHUNKS} chunks (with --full {FULL_MANY:,})"

TRIAL = Trial(
    name="load_memory",
    rows=(
        TrialRow(
            "load-memory",
            f"{_WHAT}, counted and written to a file one by one: the most memory of the process",
            "many",
            "MiB of RSS",
            Bar(150),
            (
                ("growth", "% more than for a tenth of them"),
                ("each", "µs CPU to count one"),
                ("written", "µs CPU to write one"),
            ),
        ),
        TrialRow(
            "load-report",
            f"the page of a run of {_WHAT}: time to make it",
            "page",
            "s",
            Bar(10),
            (("size", "MB"),),
        ),
        TrialRow("load-report-size", "the same: its size", "size", "MB", Bar(2)),
    ),
    repetitions_max=1,
    run_s=20.0,
    deadline_s=120.0,
    is_timeless=True,
    full_s=120.0,
    suite="load",
)


def run(seed: int) -> Finding:
    """Count a tenth of a run, then the whole of it."""
    return _run(FEW, MANY, seed)


def run_full(seed: int) -> Finding:
    """Count as many as there may be."""
    return _run(FULL_FEW, FULL_MANY, seed)


def _run(few: int, many: int, seed: int) -> Finding:
    _count(few, seed)
    few_bytes = rss_bytes_max()
    figures = _count(many, seed)
    many_bytes = rss_bytes_max()
    growth = 100 * (many_bytes / few_bytes - 1)
    figures |= {"many": many_bytes / MIB, "growth": growth}
    return Finding(figures)


def _count(count: int, seed: int) -> dict[str, float]:
    """Count and write so many requests, and make the page of what they were."""
    seconds = count / RATE_PER_S
    shape = OpenLoop((Phase(seconds, RATE_PER_S, RATE_PER_S),))
    plan = plan_for("http://gpu-1:11434", shape, duration_s=seconds, seed=seed)
    tally, counted_s, written_s = Tally(plan), 0.0, 0.0
    with open_folder() as folder, open_samples(folder / "samples.jsonl") as writer:
        for sample in _samples(count, seed):
            began_s = time.process_time()
            tally.add(sample)
            between_s = time.process_time()
            writer.add(sample)
            written_s += time.process_time() - between_s
            counted_s += between_s - began_s
    began_s = time.process_time()
    result = conclude(plan, tally, environment=Environment("0", "3", "Linux", 4))
    page = make_page([result])
    page_s = time.process_time() - began_s
    assert result.counts.ok == count, "all are counted"
    return {
        "each": counted_s / count * 1e6,
        "written": written_s / count * 1e6,
        "page": page_s,
        "size": len(page.encode()) / 1e6,
    }


def _samples(count: int, seed: int) -> Iterator[Sample]:
    """Requests as a busy server answers them, each made when it is wanted."""
    draw = random.Random(seed)
    for index in range(count):
        due_ns = round(index / RATE_PER_S * 1e9)
        sent_ns = due_ns + draw.randrange(MS)
        first_ns = sent_ns + 100 * MS + int(draw.expovariate(1 / (50 * MS)))
        gaps_ns = [20 * MS + draw.randrange(10 * MS) for _ in range(CHUNKS - 1)]
        last_ns = first_ns + sum(gaps_ns)
        yield Sample(
            index,
            scenario="chat",
            model="llama3.2",
            endpoint="gpu-1:11434",
            scheduled_ns=due_ns,
            sent_ns=sent_ns,
            first_ns=first_ns,
            shown_ns=first_ns,
            last_ns=last_ns,
            done_ns=last_ns + MS,
            ended_ns=last_ns + MS,
            chunks=CHUNKS,
            gap_max_ns=max(gaps_ns),
            gaps_ns=gaps_ns,
            prompt_tokens=100,
            output_tokens=CHUNKS,
            total_ns=last_ns - sent_ns,
            load_ns=MS,
            prefill_ns=50 * MS,
            decode_ns=last_ns - first_ns,
            is_timed=True,
        )
