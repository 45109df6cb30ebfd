"""One run of ``triollama batch``: everything opened, the job run, what came of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.batch.errors import BatchError, InputChangedError, InputError
from triollama_adapters.batch.figures.prices import Prices
from triollama_adapters.batch.input.source import RowSource, open_rows
from triollama_adapters.batch.ledger.ledger import BatchState, Ledger, open_ledger
from triollama_adapters.batch.ledger.opening import check_new
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.state import read_state
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.asking import Asker
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.batch.work.limits import ROWS_MAX
from triollama_adapters.batch.work.outage import OUTAGE_S_MAX
from triollama_adapters.batch.work.windows import (
    parse_duration_s,
    parse_share,
    parse_time_window,
)
from triollama_adapters.cli._batch_models import check_first_model
from triollama_adapters.cli._batch_ray import OFF, CrewFleet, open_crew_fleet, ray_fleet_of
from triollama_adapters.cli._batch_sights import Events, open_sight
from triollama_adapters.cli._batch_summary import describe_recovery, make_summary
from triollama_adapters.cli._batch_watch import Watched
from triollama_adapters.cli._batch_words import describe_stopping, title_of
from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    AbortedError,
    CliError,
    explain,
)
from triollama_adapters.cli._fleet import Fleet, FleetWanted, open_fleet
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._limits import FILES_BESIDE, allow_files
from triollama_adapters.cli._run import CONCURRENCY_MAX, SIMULATORS_MAX
from triollama_adapters.ray.crew import Crew
from triollama_adapters.ray.fleet import WORKERS_MAX, RayFleet

__all__ = ["Use", "begin", "go_on"]

FINISH_S: Final = 60.0
"""After the first Ctrl-C: how long rows that run may take to their outcome."""

TRIES: Final = 5


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Use:
    """Which servers a run uses, and how. What is not given is as the last time.

    Attributes:
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        simulate: Start this many simulated servers instead, and stop them at the end.
        ray: Have the servers asked by workers of a Ray cluster: the address of its head, auto, or
            local for workers on this machine; off for a job that is no longer to use it.
        ray_workers: So many workers. Default: one for each machine of the cluster.
        pin: With --ray: a server that one machine asks, as NODE=URL; repeat it for more.
        concurrency: Rows asked at a time at most. Default, and 0: as many as the servers work on at
            once.
        tries: How often a row is asked before it has failed. Default: 5. Times when no server
            could be reached do not count.
        give_up_after: End the job when no server has answered for so long, such as 90s, 30m or 2h.
            Default, and off: 30m.
        only_between: Begin rows only at these times of day, in local time, such as 22:00-06:00; off
            for any time.
        use_at_most: Use this share of the servers' slots, such as 50%; off for all of them.
        tokens_per_minute: Tokens of prompts and answers together; 0 for any number.
        in_order: Write the records in the order of the input.
        max_error_rate: End the job when more than this share of the rows failed.
        fail_fast: End the job when the first row fails.
        price_input: What a million tokens of prompts cost, to be told what the job costs.
        price_output: What a million tokens of answers cost.
    """

    endpoint: Annotated[tuple[str, ...] | None, Parameter(negative_iterable=())] = None
    simulate: Annotated[int | None, Parameter(validator=Number(gte=0, lte=SIMULATORS_MAX))] = None
    ray: str | None = None
    ray_workers: Annotated[int | None, Parameter(validator=Number(gte=1, lte=WORKERS_MAX))] = None
    pin: Annotated[tuple[str, ...] | None, Parameter(negative_iterable=())] = None
    concurrency: Annotated[int | None, Parameter(validator=Number(gte=0, lte=CONCURRENCY_MAX))] = (
        None
    )
    tries: Annotated[int | None, Parameter(validator=Number(gte=1, lte=100))] = None
    give_up_after: str | None = None
    only_between: str | None = None
    use_at_most: str | None = None
    tokens_per_minute: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    in_order: bool | None = None
    max_error_rate: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None
    fail_fast: bool | None = None
    price_input: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    price_output: Annotated[float | None, Parameter(validator=Number(gte=0))] = None

    def notes(self) -> dict[str, Any]:
        """What was given, for the next resume; servers that were given replace all others."""
        given = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        if not given.keys().isdisjoint(("endpoint", "simulate")):
            given = {"endpoint": (), "simulate": 0} | given
        return given

    def ray_fleet(self) -> RayFleet | None:
        """The cluster whose workers ask; None if it is this process that does.

        Raises:
            CliError: options need others.
            ChoiceError: a value means nothing.
        """
        return ray_fleet_of(self.ray, self.endpoint or (), self.pin or (), self.ray_workers)

    def limits(self, *, accepts_changes: bool = False) -> Limits:
        """How the job may use the fleet.

        Raises:
            ChoiceError: a value means nothing.
        """
        window, share, after = map(
            _unless_off, (self.only_between, self.use_at_most, self.give_up_after)
        )
        return Limits(
            concurrency=self.concurrency or None,
            in_order=bool(self.in_order),
            failures_share_max=self.max_error_rate,
            is_fail_fast=bool(self.fail_fast),
            accepts_changes=accepts_changes,
            use_share=parse_share(share) if share is not None else 1.0,
            only_between=parse_time_window(window) if window is not None else None,
            tokens_per_minute=self.tokens_per_minute or None,
            outage_s_max=parse_duration_s(after) if after is not None else OUTAGE_S_MAX,
        )


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
                self._open_fleet(source, recipe) as fleet,
            ):
                await check_first_model(source, fleet.models if isinstance(fleet, Fleet) else ())
                asked = attrs.evolve(recipe, model=fleet.model or None)
                notes = self._use.notes()
                opening = self._open_ledger(asked.settings(), notes, is_resumed=is_resumed)
                async with opening as ledger:
                    await self._ask_all(ledger, source, fleet, asked)

        return await self._run(work)

    async def go_on(self, *, retries_failed: bool, limit: int | None) -> int:
        """Run a job as it was begun, but for a limit."""

        async def work() -> None:
            settings = await self._limited(limit) if limit is not None else None
            async with self._open_ledger(settings, is_resumed=True) as ledger:
                given = self._use.notes()
                self._use = _use_of({**(ledger.state.notes or {}), **given})
                recipe = _recipe_of(self._output, ledger.state)
                recipe.treatment()  # a function that is missing is told before any work
                async with (
                    open_rows(recipe.wanted()) as source,
                    self._open_fleet(source, recipe) as fleet,
                ):
                    await ledger.note(given)  # not before: an address may have been wrong
                    if retries_failed:
                        await ledger.retry_failed()
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

    async def _limited(self, limit: int) -> Mapping[str, Any]:
        """The settings of a job that is there, with another limit of rows; 0 is none."""
        state = await read_state(self._output)
        return attrs.evolve(_recipe_of(self._output, state), limit=limit or None).settings()

    @asynccontextmanager
    async def _open_ledger(
        self,
        settings: Mapping[str, Any] | None,
        notes: Mapping[str, Any] | None = None,
        *,
        is_resumed: bool,
    ) -> AsyncIterator[Ledger]:
        """The ledger; what had to be repaired is told."""
        async with open_ledger(
            self._output,
            settings,
            notes=notes,
            is_resumed=is_resumed,
            accepts_changes=self._accepts_changes,
        ) as ledger:
            if ledger.recovery is not None:
                sys.stderr.write(f"repaired: {describe_recovery(ledger.recovery)}\n")
            yield ledger

    @asynccontextmanager
    async def _open_fleet(
        self, source: RowSource, recipe: Recipe
    ) -> AsyncIterator[Fleet | CrewFleet]:
        """The servers; the source is told the model of rows that name none."""
        concurrency = self._use.concurrency or ROWS_MAX
        allow_files(concurrency + FILES_BESIDE)
        wanted = FleetWanted(
            endpoints=self._use.endpoint or (),
            simulate=self._use.simulate or 0,
            model=recipe.model,
            concurrency=concurrency,
            needs_model=not await source.names_models(),
        )
        on_ray = self._use.ray_fleet()
        opening: AbstractAsyncContextManager[Fleet | CrewFleet]
        if on_ray is None:
            opening = open_fleet(wanted, sys.stderr)
        else:
            tries = self._use.tries or TRIES
            opening = open_crew_fleet(on_ray, wanted, self._use.limits(), tries, sys.stderr)
        async with opening as fleet:
            if fleet.model:
                source.take_model(fleet.model)
            yield fleet

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
                prices=Prices(input=self._use.price_input, output=self._use.price_output),
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
        use: which servers, and how.
        is_resumed: whether it is there already.
        accepts_changes: whether settings, and rows that have an outcome, may have changed.
        is_json: tell programs how far it is, on standard output, rather than people.
    """
    use.ray_fleet()
    use.limits()  # what means nothing is told before anything is begun
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
    use.limits()
    run = _Run(output, use, accepts_changes=accepts_changes, is_json=is_json)
    return await run.go_on(retries_failed=retries_failed, limit=limit)


def _unless_off(text: str | None) -> str | None:
    """What an option says; None if it was taken off."""
    return None if text is None or text.strip().lower() == OFF else text


def _use_of(notes: Mapping[str, Any]) -> Use:
    """What a job goes on with: what was given last, of each."""
    notes = dict(notes)
    for name in ("endpoint", "pin"):
        if notes.get(name) is not None:
            notes[name] = tuple(notes[name])
    return Use(**notes)


def _recipe_of(output: Path, state: BatchState) -> Recipe:
    """What a job was begun with."""
    if state.settings is None:
        raise CliError(
            f"what was asked is lost with an earlier journal of {output}; begin the job as the "
            "first time, with --go-on"
        )
    return Recipe(**state.settings)
