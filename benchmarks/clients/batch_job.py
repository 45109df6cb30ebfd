"""A batch job of this project, whole: read, asked, shaped, and kept with its journal."""

from __future__ import annotations

import trio

from benchmarks.clients.rows import STARTED_MIN, open_folder, rows_for, write_prompts
from benchmarks.clients.trio_tasks import take_window
from benchmarks.measure import Measurement, Meter
from benchmarks.plan import MODEL, Plan
from triollama import EndpointConfig, open_engine
from triollama_adapters.batch.batch import open_batch
from triollama_adapters.batch.work.job import Limits

IN_FLIGHT_MAX = 20_000
"""More than are asked at a time, so that no row measures the line of those who wait."""


async def measure(plan: Plan) -> Measurement:
    """Answer rows of a file, and count those that are kept: in the output and in the journal.

    Raises:
        RuntimeError: The output holds fewer rows than were counted, or the input came to its end.
    """
    with open_folder() as folder:
        source, sink = folder / "prompts.jsonl", folder / "answers.jsonl"
        write_prompts(source, rows_for(plan))
        limits = Limits(concurrency=plan.in_flight)
        meter = Meter()
        meter.note_memory()
        endpoint = EndpointConfig(plan.url, max_in_flight=IN_FLIGHT_MAX, num_parallel=IN_FLIGHT_MAX)
        async with (
            open_engine(endpoint) as engine,
            open_batch(engine, source, sink, model=MODEL, limits=limits) as batch,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(batch.run)
            progress = batch.progress
            measurement = await take_window(
                plan,
                meter,
                lambda: progress.answered >= STARTED_MIN,
                lambda: progress.answered,
            )
            answered = progress.answered
            is_ended, failed = progress.is_read_to_end, progress.failed
            nursery.cancel_scope.cancel()
        written = sink.read_bytes().count(b"\n")
        if written < answered or is_ended or failed:
            raise RuntimeError(f"{answered} rows counted, {written} written, {failed} failed")
        return measurement
