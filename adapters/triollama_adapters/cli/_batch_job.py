"""One run of ``triollama batch``: everything opened, the job run, what came of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Final

import attrs
import trio

from triollama_adapters.batch.errors import BatchError, InputChangedError, InputError
from triollama_adapters.batch.input.source import RowSource, open_rows
from triollama_adapters.batch.ledger.ledger import Ledger, open_ledger
from triollama_adapters.batch.ledger.opening import check_new
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.opening import check_choices, open_outcomes
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.asking import Asker
from triollama_adapters.batch.work.job import Job
from triollama_adapters.cli._batch_fleet import open_job_fleet
from triollama_adapters.cli._batch_models import check_first_model
from triollama_adapters.cli._batch_ray import CrewFleet
from triollama_adapters.cli._batch_sights import Events, open_sight
from triollama_adapters.cli._batch_stored import forget_failed, limited, recipe_of
from triollama_adapters.cli._batch_summary import describe_recovery, make_summary
from triollama_adapters.cli._batch_use import TRIES, Use
from triollama_adapters.cli._batch_watch import Watched
from triollama_adapters.cli._batch_words import describe_stopping, title_of
from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    AbortedError,
    explain,
)
from triollama_adapters.cli._fleet import Fleet
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.ray.crew import Crew

__all__ = ["begin", "go_on"]

FINISH_S: Final = 60.0
"""After the first Ctrl-C: how long rows that run may take to their outcome."""


class _Run:
    """One run, from its input to its outcome."""

    def __init__(self, output: Path, use: Use, *, accepts_changes: bool, is_json: bool) -> None:
        self._output = output
        self._use = use
        self._accepts_changes = accepts_changes
        self._events = Events(sys.stdout, str(output)) if is_json else None
        self._job: Job | None = None
        self._watched: Watched | None = None

    async def begin(self, recipe: Recipe, *, is_resumed: bool) -> int:
        """Run a job that is told whole."""

        async def work() -> None:
            # The ledger last: which model is asked belongs to what is stored.
            if not is_resumed:
                await trio.to_thread.run_sync(check_new, Paths(self._output))
            async with (
                open_rows(recipe.wanted()) as source,
                open_job_fleet(self._use, source, recipe) as fleet,
            ):
                await check_first_model(source, fleet.models if isinstance(fleet, Fleet) else ())
                asked = attrs.evolve(recipe, model=fleet.model or None)
                opening = open_outcomes(
                    asked,
                    self._output,
                    notes=self._use.notes(),
                    is_resumed=is_resumed,
                    accepts_changes=self._accepts_changes,
                )
                async with self._told(opening) as ledger:
                    # A journal that was broken may tell more than could be read before.
                    self._use = self._use.after(ledger.state.notes or {})
                    await self._ask_all(ledger, source, fleet, asked)

        return await self._run(work)

    async def go_on(self, *, retries_failed: bool, limit: int | None) -> int:
        """Run a job as it was begun, but for a limit."""

        async def work() -> None:
            settings = await limited(self._output, limit) if limit is not None else None
            accepts = self._accepts_changes
            opening = open_ledger(self._output, settings, is_resumed=True, accepts_changes=accepts)
            async with self._told(opening) as ledger:
                given = self._use.notes()
                self._use = self._use.after(ledger.state.notes or {})
                recipe = recipe_of(self._output, ledger.state)
                await check_choices(recipe, self._output)
                async with (
                    open_rows(recipe.wanted()) as source,
                    open_job_fleet(self._use, source, recipe) as fleet,
                ):
                    await ledger.note(given)  # not before: an address may have been wrong
                    if retries_failed:
                        await forget_failed(ledger, recipe, accepts_changes=accepts)
                    await self._ask_all(ledger, source, fleet, recipe)

        return await self._run(work)

    # ---- parts of it

    async def _run(self, work: Callable[[], Awaitable[None]]) -> int:
        try:
            is_stopped = await run_until_stopped(work, self._stop_soon)
        except* BatchError as errors:
            # What ended the job is told last, after how far it came.
            told, code = explain(errors)
            has_begun = self._watched is not None
            if has_begun and errors.subgroup((InputError, InputChangedError)) is None:
                self._tell_end(EXIT_ABORTED)
                raise AbortedError(told) from errors
            self._tell_end(code)
            raise
        code = self._code(is_stopped=is_stopped)
        self._tell_end(code)
        return code

    def _stop_soon(self) -> float:
        """Begin no more rows; how long those that run may take."""
        if self._job is None:
            return 0.0
        self._job.stop()
        # Those that wait, for a server or between two tries, are left for a resume.
        running = self._job.progress.running - self._job.progress.waiting
        sys.stderr.write(f"{describe_stopping(running)}\n")
        return FINISH_S

    @asynccontextmanager
    async def _told(self, opening: AbstractAsyncContextManager[Ledger]) -> AsyncIterator[Ledger]:
        """The ledger; what had to be repaired is told."""
        async with opening as ledger:
            if ledger.recovery is not None:
                sys.stderr.write(f"repaired: {describe_recovery(ledger.recovery)}\n")
            yield ledger

    async def _ask_all(
        self, ledger: Ledger, source: RowSource, fleet: Fleet | CrewFleet, recipe: Recipe
    ) -> None:
        engine = fleet.engine
        tries = self._use.tries or TRIES
        asker = engine if isinstance(engine, Crew) else Asker(engine, tries_max=tries)
        limits = self._use.limits(accepts_changes=self._accepts_changes)
        sight = open_sight(title_of(recipe.input, self._output), sys.stderr)
        with sight if self._events is None else nullcontext(self._events) as shown:
            watched = self._watched = Watched(
                ledger=ledger,
                source=source,
                engine=engine,
                model=fleet.model,
                rows_max=recipe.limit,
                prices=self._use.prices(),
                sight=shown,
            )
            deliver = watched.deliver
            job = self._job = make_job(source, ledger, asker, recipe, limits, deliver=deliver)
            await watched.run(job)
        if job.progress.is_read_to_end:
            unseen = [f"warning: no row has a field {name!r}\n" for name in source.unseen]
            if source.filtered and not source.given:
                unseen.append("warning: --where, --sample and --shard leave no row to be asked\n")
            sys.stderr.write("".join(unseen))
        if job.progress.is_read_to_end and not job.progress.is_torn:
            await ledger.note_input_rows(job.progress.read)

    def _code(self, *, is_stopped: bool) -> int:
        """How a run ends that was not ended by an error."""
        shot = self._watched.last if self._watched is not None else None
        if shot is not None and shot.state == "complete":
            return EXIT_SOME_FAILED if shot.failed else EXIT_OK
        return EXIT_INTERRUPTED if is_stopped else EXIT_SOME_FAILED

    def _tell_end(self, code: int) -> None:
        """Tell what the run came to, if it had begun."""
        if self._watched is None or (shot := self._watched.last) is None:
            return
        if self._events is not None:
            self._events.end(shot, code)
        else:
            lines = make_summary(shot, self._output)
            sys.stderr.write("".join(f"{line}\n" for line in lines))


async def begin(
    output: Path,
    recipe: Recipe,
    use: Use,
    *,
    is_resumed: bool,
    accepts_changes: bool,
    is_json: bool = False,
) -> int:
    """Run a job that is told whole; the exit code.

    Args:
        output: where its answers go.
        recipe: what is asked.
        use: which servers, and how; of a job that is there, also what was given before.
        is_resumed: whether it is there already.
        accepts_changes: whether settings, and rows that have an outcome, may have changed.
        is_json: tell programs how far it is, on standard output, rather than people.
    """
    run = _Run(output, use, accepts_changes=accepts_changes, is_json=is_json)
    return await run.begin(recipe, is_resumed=is_resumed)


async def go_on(
    output: Path,
    use: Use,
    *,
    accepts_changes: bool = False,
    retries_failed: bool = False,
    limit: int | None = None,
    is_json: bool = False,
) -> int:
    """Run a job that was begun before, as it was; the exit code.

    Args:
        output: where its answers are.
        use: which servers, and how.
        accepts_changes: go on although rows that have an outcome have changed.
        retries_failed: ask those again that failed.
        limit: so many rows at most; 0: all; None: as before.
        is_json: as of `begin`.
    """
    run = _Run(output, use, accepts_changes=accepts_changes, is_json=is_json)
    return await run.go_on(retries_failed=retries_failed, limit=limit)
