"""One batch on Ray, from Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from os import PathLike
from pathlib import Path
from typing import Final

from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.ledger import BatchState
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.opening import check_choices, open_outcomes
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.batch.work.terms import check_tries
from triollama_adapters.ray.crew import Crew, open_crew
from triollama_adapters.ray.fleet import RayFleet

__all__ = ["run_batch_on_ray"]

AS_USUAL: Final = Limits()


async def run_batch_on_ray(
    recipe: Recipe,
    sink: str | PathLike[str],
    fleet: RayFleet,
    *,
    limits: Limits = AS_USUAL,
    tries: int = 5,
    tell: Callable[[str], None] = lambda _: None,
    watch: Callable[[Job, Crew], None] = lambda _, __: None,
) -> BatchState:
    """Ask every row of an input on the workers of a Ray cluster; each gets one outcome in `sink`.

    A batch that exists at `sink` is gone on with, from where it was, whether it was run on Ray
    before or not. If cancelled, what is complete is kept, and all the rest can be resumed.

    Args:
        recipe: what is read, asked and written; rows that name no model need one here.
        sink: where the answers go, with the errors and the journal beside them.
        fleet: the cluster, and the servers that its machines ask.
        limits: how many at a time on all workers together, and when to give up.
        tries: how often a row is asked before it has failed.
        tell: is given a line for people when a worker is lost, or a server does not answer.
        watch: is given the job and its workers before it runs, to look at how far they are.

    Returns:
        What the batch has, this run and earlier ones together.

    Raises:
        RayError: the cluster cannot be used, or no longer; see the subclasses.
        BatchError: as of `open_batch`.
    """
    check_tries(tries)
    output = Path(sink)
    await check_choices(recipe, output)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(open_rows(recipe.wanted()))
        accepts = limits.accepts_changes
        opened = open_outcomes(recipe, output, is_resumed=None, accepts_changes=accepts)
        ledger = await stack.enter_async_context(opened)
        opening = open_crew(
            fleet,
            rows_max=limits.rows_max,
            tries=tries,
            outage_s_max=limits.outage_s_max,
            tell=tell,
        )
        crew = await stack.enter_async_context(opening)
        job = make_job(source, ledger, crew, recipe, limits)
        watch(job, crew)
        await job.run()
        if job.progress.is_read_to_end and not job.progress.is_torn:
            await ledger.note_input_rows(job.progress.read)
        return ledger.state
