"""Who answers a job: servers, or the workers of a cluster that ask them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from triollama_adapters.batch.input.source import RowSource
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.limits import ROWS_MAX
from triollama_adapters.cli._batch_ray import CrewFleet, open_crew_fleet
from triollama_adapters.cli._batch_use import TRIES, Use
from triollama_adapters.cli._fleet import Fleet, FleetWanted, open_fleet
from triollama_adapters.cli._limits import FILES_BESIDE, allow_files

__all__ = ["open_job_fleet"]


@asynccontextmanager
async def open_job_fleet(
    use: Use, source: RowSource, recipe: Recipe
) -> AsyncIterator[Fleet | CrewFleet]:
    """The servers of a job; the source is told the model of rows that name none.

    Args:
        use: which servers.
        source: the input, of which nothing is taken.
        recipe: what is asked.

    Raises:
        CliError: no server can be used, the model is not there, or options do not go together.
        BatchError: the cluster cannot be used, or the input not be read.
    """
    concurrency = use.concurrency or ROWS_MAX
    allow_files(concurrency + FILES_BESIDE)
    wanted = FleetWanted(
        endpoints=use.endpoint or (),
        simulate=use.simulate or 0,
        model=recipe.model,
        concurrency=concurrency,
        needs_model=not await source.names_models(),
        credentials=use.access.credentials(),
    )
    on_ray = use.ray_fleet()
    opening: AbstractAsyncContextManager[Fleet | CrewFleet]
    if on_ray is None:
        opening = open_fleet(wanted, sys.stderr)
    else:
        tries = use.tries or TRIES
        opening = open_crew_fleet(on_ray, wanted, use.limits(), tries, sys.stderr)
    async with opening as fleet:
        if fleet.model:
            source.take_model(fleet.model)
        yield fleet
