"""The command ``triollama batch``: a file of prompts, each answered once, whatever dies."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import attrs
import msgspec
import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.ledger import (
    BatchState,
    Entry,
    Ledger,
    open_ledger,
    read_state,
)
from triollama_adapters.batch.recipe import Recipe, entry_of
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.cli._batch_view import describe_recovery, describe_state, show_job
from triollama_adapters.cli._failures import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    CliError,
)
from triollama_adapters.cli._fleet import FleetWanted, open_fleet
from triollama_adapters.cli._interrupt import STOP_SIGNALS
from triollama_adapters.cli._limits import FILES_BESIDE, allow_files
from triollama_adapters.cli._options import make_options
from triollama_adapters.cli._run import CONCURRENCY_MAX, SIMULATORS_MAX
from triollama_adapters.cli._sink import STANDARD

__all__ = ["make_batch_app"]

FINISH_S: Final = 60.0
"""After the first Ctrl-C: how long rows that run may take to their outcome."""

WATCH_EVERY_S: Final = 2.0

BATCH_EXAMPLES: Final = """
Examples:

* `triollama batch prompts.jsonl -o answers.jsonl --model llama3.2`
* `triollama batch reviews.csv -o out.jsonl --prompt "Summarise: {text}" --where lang=en`
* `triollama batch resume answers.jsonl`
* `triollama batch status answers.jsonl --watch`
* `triollama batch retry-failed answers.jsonl`
"""

Endpoints = Annotated[list[str] | None, Parameter(name="--endpoint", negative_iterable=())]
Simulate = Annotated[int, Parameter(validator=Number(gte=0, lte=SIMULATORS_MAX))]
Concurrency = Annotated[int, Parameter(validator=Number(gte=1, lte=CONCURRENCY_MAX))]
Share = Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))]
Flag = Annotated[bool, Parameter(negative=())]
Repeated = Annotated[list[str] | None, Parameter(negative_iterable=())]


@attrs.frozen(kw_only=True)
class _Use:
    """Which servers a run uses, and how: may differ from run to run of one job."""

    endpoints: tuple[str, ...] = ()
    simulate: int = 0
    concurrency: int = 200
    tries: int = 5
    in_order: bool = False
    max_error_rate: float | None = None
    fail_fast: bool = False
    accept_changes: bool = False

    def notes(self) -> dict[str, Any] | None:
        """Which servers, for the next resume; None if nothing was said of them."""
        if not self.endpoints and not self.simulate:
            return None
        return {"endpoints": list(self.endpoints), "simulate": self.simulate}

    def as_before(self, state: BatchState) -> _Use:
        """The same with the servers of the last time, if nothing was said of them."""
        if state.notes is None or self.notes() is not None:
            return self
        endpoints = tuple(state.notes["endpoints"])
        return attrs.evolve(self, endpoints=endpoints, simulate=state.notes["simulate"])

    def limits(self) -> Limits:
        """What the job may do."""
        return Limits(
            concurrency=self.concurrency,
            in_order=self.in_order,
            failures_share_max=self.max_error_rate,
            is_fail_fast=self.fail_fast,
            accepts_changes=self.accept_changes,
        )


def make_batch_app() -> App:
    """The command and its subcommands."""
    app = App(name="batch", help_epilogue=BATCH_EXAMPLES, help_format="markdown")
    app.default(batch)
    app.command(resume)
    app.command(status)
    app.command(retry_failed, name="retry-failed")
    return app


async def batch(
    file: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    endpoint: Endpoints = None,
    simulate: Simulate = 0,
    model: Annotated[str | None, Parameter(name=["--model", "-m"])] = None,
    model_for: Repeated = None,
    prompt: str | None = None,
    field: str | None = None,
    system: str | None = None,
    kind: Literal["chat", "generate", "embed"] = "chat",
    format: Literal["plain", "csv", "openai", "ollama"] | None = None,  # noqa: A002 - the option
    delimiter: str | None = None,
    where: Repeated = None,
    limit: int | None = None,
    sample: float = 1.0,
    shard: str | None = None,
    select: str | None = None,
    num_predict: Annotated[int | None, Parameter(validator=Number(gte=-2))] = None,
    temperature: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    seed: int | None = None,
    option: Repeated = None,
    think: bool | None = None,
    concurrency: Concurrency = 200,
    tries: Annotated[int, Parameter(validator=Number(gte=1, lte=100))] = 5,
    in_order: Flag = False,
    max_error_rate: Share = None,
    fail_fast: Flag = False,
    go_on: Flag = False,
) -> int:
    """Ask every row of a file; each is answered once, whatever dies and however often.

    Answers go to OUTPUT, rows that failed for good to OUTPUT with `.errors` before its suffix, and
    beside them stands a journal. After Ctrl-C, a crash or a power cut: `triollama batch resume`.

    Args:
        file: JSON lines, OpenAI batch lines, bodies of Ollama's API, or CSV; may be packed with
            gzip or zstd; `-` reads standard input.
        output: Where the answers go. An existing one is refused; see `resume`.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        simulate: Start this many simulated servers instead, and stop them at the end.
        model: The model of rows that name none. Default: the only one there is.
        model_for: Ask another model than rows name, such as gpt-4o=llama3.2; repeat it for more.
        prompt: What is asked, such as "Summarise: {text}"; names in braces are fields of the row.
        field: The field that is asked as it is. Default: prompt, question or text.
        system: System message of every row.
        kind: What rows without a format of their own ask for.
        format: What the rows are. Default: found out.
        delimiter: Between the cells of CSV.
        where: Ask only rows that fulfil it, such as lang=en; repeat it for more. Also != ~ < >.
        limit: Ask so many rows at most.
        sample: Ask this share of the rows, by their content.
        shard: Ask only part K of N, such as 3/8.
        select: The fields of the records, separated by commas. Default: all.
        num_predict: Tokens per answer at most; -1: until the model stops.
        temperature: 0 takes the likeliest token always.
        seed: Seed of the sampler.
        option: Another option of Ollama as NAME=VALUE; repeat it for more.
        think: Let the model think, or keep it from it.
        concurrency: Rows asked at a time.
        tries: How often a row is asked before it has failed.
        in_order: Write the records in the order of the input.
        max_error_rate: End the job when more than this share of the rows failed.
        fail_fast: End the job when the first row fails.
        go_on: Go on with an existing output; for one whose journal is broken or lost.

    Returns:
        The exit code.
    """
    options = make_options(
        option or [], num_predict=num_predict, temperature=temperature, seed=seed
    )
    recipe = Recipe(
        input=_located(file),
        format=format,
        delimiter=delimiter,
        prompt=prompt,
        field=field,
        system=system,
        kind=kind,
        model=model,
        models=dict(map(_parse_alias, model_for or ())),
        options=options or {},
        think=think,
        where=where or (),
        limit=limit,
        sample=sample,
        shard=shard,
        select=[name.strip() for name in select.split(",")] if select else (),
    )
    use = _Use(
        endpoints=tuple(endpoint or ()),
        simulate=simulate,
        concurrency=concurrency,
        tries=tries,
        in_order=in_order,
        max_error_rate=max_error_rate,
        fail_fast=fail_fast,
    )
    return await _run(output, recipe, use, is_resumed=go_on)


async def resume(
    output: Path,
    /,
    *,
    endpoint: Endpoints = None,
    simulate: Simulate = 0,
    concurrency: Concurrency = 200,
    tries: Annotated[int, Parameter(validator=Number(gte=1, lte=100))] = 5,
    in_order: Flag = False,
    max_error_rate: Share = None,
    fail_fast: Flag = False,
    accept_changes: Flag = False,
) -> int:
    """Go on with a job that was stopped, killed or cut off.

    Rows that have an answer, or failed for good, are not asked again.

    Args:
        output: The output of the job.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: as before.
        simulate: Start this many simulated servers instead, and stop them at the end.
        concurrency: Rows asked at a time.
        tries: How often a row is asked before it has failed.
        in_order: Write the records that are missing in the order of the input.
        max_error_rate: End the job when more than this share of the rows failed.
        fail_fast: End the job when the first row fails.
        accept_changes: Go on although rows of the input that are done have changed since.

    Returns:
        The exit code.
    """
    use = _Use(
        endpoints=tuple(endpoint or ()),
        simulate=simulate,
        concurrency=concurrency,
        tries=tries,
        in_order=in_order,
        max_error_rate=max_error_rate,
        fail_fast=fail_fast,
        accept_changes=accept_changes,
    )
    return await _run(output, None, use)


async def retry_failed(
    output: Path,
    /,
    *,
    endpoint: Endpoints = None,
    simulate: Simulate = 0,
    concurrency: Concurrency = 200,
    tries: Annotated[int, Parameter(validator=Number(gte=1, lte=100))] = 5,
) -> int:
    """Ask the rows again that failed, and go on with those that were never asked.

    Args:
        output: The output of the job.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: as before.
        simulate: Start this many simulated servers instead, and stop them at the end.
        concurrency: Rows asked at a time.
        tries: How often a row is asked before it has failed.

    Returns:
        The exit code.
    """
    use = _Use(
        endpoints=tuple(endpoint or ()), simulate=simulate, concurrency=concurrency, tries=tries
    )
    return await _run(output, None, use, retries_failed=True)


async def status(output: Path, /, *, watch: Flag = False, json: Flag = False) -> int:
    """Show how far a job is: rows done and failed, errors by kind, tokens. Also while it runs.

    Args:
        output: The output of the job.
        watch: Show it again and again, until Ctrl-C.
        json: Print one JSON object; with --watch, one a line.

    Returns:
        The exit code.
    """
    while True:
        state = await read_state(output)
        if json:
            sys.stdout.write(msgspec.json.encode(attrs.asdict(state)).decode() + "\n")
        else:
            sys.stdout.write("".join(f"{line}\n" for line in describe_state(state)))
        sys.stdout.flush()
        if not watch:
            return EXIT_OK
        await trio.sleep(WATCH_EVERY_S)


def _located(file: str) -> str:
    """The input by a path that is the same from any folder."""
    return file if file == STANDARD else str(Path(file).absolute())


def _parse_alias(text: str) -> tuple[str, str]:
    named, equals, asked = text.partition("=")
    if not named or not equals or not asked:
        raise CliError(f"--model-for takes NAMED=ASKED, such as gpt-4o=llama3.2, not {text!r}")
    return named, asked


# ---- how a job is run


class _Stopper:
    """The first Ctrl-C or SIGTERM lets what runs finish, the second one stops it."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.is_stopped = False

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run the work to its end, whichever that is."""
        with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, signals, nursery.cancel_scope)
                await work()
                nursery.cancel_scope.cancel()

    async def _watch(self, signals: Any, scope: trio.CancelScope) -> None:
        await anext(signals)
        self.is_stopped = True
        if self.job is not None:
            self.job.stop()
            running = self.job.progress.running
            sys.stderr.write(f"finishing {running:,} rows that run; Ctrl-C again stops at once\n")
            with trio.move_on_after(FINISH_S):
                await anext(signals)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # a third one ends the process
        scope.cancel()


async def _run(
    output: Path,
    recipe: Recipe | None,
    use: _Use,
    *,
    is_resumed: bool = True,
    retries_failed: bool = False,
) -> int:
    """Run a job; without a recipe as it was begun."""
    allow_files(use.concurrency + FILES_BESIDE)
    if recipe is not None:
        recipe.wanted()  # what means nothing is told before anything is begun
    stopper = _Stopper()
    ended: list[BatchState] = []

    async def work() -> None:
        async with AsyncExitStack() as stack:
            opening = open_ledger(
                output,
                recipe.settings() if recipe is not None else None,
                notes=use.notes(),
                is_resumed=is_resumed,
                accepts_changes=use.accept_changes,
            )
            ledger = await stack.enter_async_context(opening)
            if ledger.recovery is not None:
                sys.stderr.write(f"repaired: {describe_recovery(ledger.recovery)}\n")
            asked, used = recipe or _recipe_of(output, ledger.state), use.as_before(ledger.state)
            if retries_failed:
                await ledger.retry_failed()
            try:
                await _ask_all(stack, ledger, asked, used, stopper)
            finally:
                ended.append(ledger.state)

    await stopper.run(work)
    return _report(output, ended, is_stopped=stopper.is_stopped)


def _recipe_of(output: Path, state: BatchState) -> Recipe:
    """What a job was begun with."""
    if state.settings is None:
        raise CliError(
            f"what was asked is lost with an earlier journal of {output}; begin the job as the "
            "first time, with --go-on"
        )
    return Recipe(**state.settings)


async def _ask_all(
    stack: AsyncExitStack, ledger: Ledger, recipe: Recipe, use: _Use, stopper: _Stopper
) -> None:
    """Open servers and input, and run the job."""
    wanted = FleetWanted(
        endpoints=use.endpoints,
        simulate=use.simulate,
        model=recipe.model,
        concurrency=use.concurrency,
        needs_model=recipe.format in {None, "plain", "csv"} and not await _names_models(recipe),
    )
    fleet = await stack.enter_async_context(open_fleet(wanted, sys.stderr))
    source = await stack.enter_async_context(
        open_rows(attrs.evolve(recipe, model=fleet.model or None).wanted())
    )

    def shape(row: Row, asked: Asked | None) -> Entry:
        found = source.requests.format if source.requests is not None else None
        return entry_of(recipe.records(found), row, asked)

    asker = Asker(fleet.engine, tries_max=use.tries)
    job = stopper.job = Job(source, ledger, asker, shape, use.limits())
    async with trio.open_nursery() as showing:
        showing.start_soon(show_job, job, source, sys.stderr)
        await job.run()
        showing.cancel_scope.cancel()


async def _names_models(recipe: Recipe) -> bool:
    """Whether the rows say themselves which model is asked, as far as that can be looked up."""
    if recipe.input == "-":
        return False
    async with open_rows(recipe.wanted()) as source:
        while source.requests is None and await source.read() is not None:
            pass
        found = source.requests.format if source.requests is not None else None
    return found in {Format.OPENAI, Format.OLLAMA}


def _report(output: Path, ended: list[BatchState], *, is_stopped: bool) -> int:
    for state in ended:
        sys.stderr.write("".join(f"{line}\n" for line in describe_state(state)))
    if is_stopped:
        sys.stderr.write(f"interrupted; go on with: triollama batch resume {output}\n")
        return EXIT_INTERRUPTED
    return EXIT_SOME_FAILED if ended and ended[0].failed else EXIT_OK
