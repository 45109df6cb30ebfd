"""One batch from Python: an input, an output, and the results as they are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

import attrs
import trio

from triollama import Engine
from triollama_adapters.batch.block import open_background
from triollama_adapters.batch.errors import BatchError
from triollama_adapters.batch.input.source import Source, name_of, open_source
from triollama_adapters.batch.ledger.ledger import Ledger
from triollama_adapters.batch.ledger.unkept import Unkept
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.opening import check_choices, open_outcomes
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Answer, Kind
from triollama_adapters.batch.work.asking import Asker
from triollama_adapters.batch.work.checking import RETRIES
from triollama_adapters.batch.work.job import Job, Limits, Outcome, Progress
from triollama_adapters.batch.work.terms import check_tries

__all__ = ["Batch", "Result", "open_batch"]

RESULTS_WAITING_MAX: Final = 1_024
"""Results that wait for who iterates; then the batch waits too."""

AS_USUAL: Final = Limits()


@attrs.frozen
class Result:
    """What came of one row.

    Attributes:
        number: the row's place in the input, from 0.
        custom_id: its own name, in OpenAI's batch format; None elsewhere.
        answer: the answer; None if there is none.
        error_kind: why there is none, in one word; None for an answer.
        error: the same as a sentence, without the row's text; None for an answer.
    """

    number: int
    custom_id: str | None
    answer: Answer | None = attrs.field(repr=False)
    error_kind: str | None = None
    error: str | None = None


class Batch:
    """A batch that is ready to run, once. Made by `open_batch`.

    Either iterate over it, for the results of this run, each as soon as it is kept; or call `run`.
    Rows that had an outcome from an earlier run are not among the results. The iteration may be
    left and taken up again; leaving the block ends the batch at once: what was kept stays kept,
    also what nobody took, and all the rest can be resumed.
    """

    def __init__(self, nursery: trio.Nursery, ledger: Ledger | Unkept) -> None:
        self._nursery = nursery
        self._ledger = ledger
        self._put, self._results = trio.open_memory_channel[Result](RESULTS_WAITING_MAX)
        self._is_begun = False
        self._is_iterated = False
        self._failure: BatchError | None = None
        self._job: Job

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._job.progress

    def stop(self) -> None:
        """Begin no more rows; those that run still get their outcome. Never waits."""
        self._job.stop()

    async def run(self) -> None:
        """Run to the end. If cancelled, what is complete is kept, and all the rest can be resumed.

        Raises:
            BatchError: it ended early; see the subclasses.
            RuntimeError: it was run already.
        """
        self._begin()
        await self._run()

    def __aiter__(self) -> Self:
        if not self._is_iterated:
            self._begin()
            self._is_iterated = True
            self._nursery.start_soon(self._run_for_reader)
        return self

    async def __anext__(self) -> Result:
        aiter(self)
        try:
            return await self._results.receive()
        except trio.EndOfChannel:
            if self._failure is not None:
                raise self._failure from None
            raise StopAsyncIteration from None

    async def deliver(self, outcomes: Sequence[Outcome]) -> None:
        """Give results to who iterates, if anyone does. For the job."""
        if not self._is_iterated:
            return
        for each in outcomes:
            try:
                await self._put.send(_result_of(each))
            except trio.BrokenResourceError:  # the reader has left
                return

    def _begin(self) -> None:
        if self._is_begun:
            raise RuntimeError("a batch runs once; open it again to go on with it")
        self._is_begun = True

    async def _run(self) -> None:
        await self._job.run()
        progress = self._job.progress
        if progress.is_read_to_end and not progress.is_torn:
            await self._ledger.note_input_rows(progress.read)

    async def _run_for_reader(self) -> None:
        with self._put:
            try:
                await self._run()
            except BatchError as error:
                self._failure = error


@asynccontextmanager
async def open_batch(
    engine: Engine,
    source: Source,
    sink: str | PathLike[str] | None = None,
    *,
    model: str | None = None,
    models: Mapping[str, str] | None = None,
    prompt: str | None = None,
    field: str | None = None,
    system: str | None = None,
    kind: Kind = "chat",
    options: Mapping[str, Any] | None = None,
    think: bool | None = None,
    format: str | None = None,  # noqa: A002 - the command's name for it
    delimiter: str | None = None,
    where: Iterable[str] = (),
    limit: int | None = None,
    sample: float = 1.0,
    shard: str | None = None,
    select: Iterable[str] = (),
    answer_format: str | Mapping[str, Any] | None = None,
    columns: Iterable[str] = (),
    check: str | Callable[..., Any] | None = None,
    check_retries: int = RETRIES,
    vote: int = 1,
    vote_key: str | Callable[..., Any] | None = None,
    tries: int = 5,
    limits: Limits = AS_USUAL,
) -> AsyncIterator[Batch]:
    """Open a batch: every row of `source` gets one outcome in `sink`, whatever dies and when.

    A batch that exists at `sink` is gone on with, from where it was: rows that have an outcome are
    not asked again. Leaving the context ends it at once; what was kept is kept.

    Args:
        engine: who answers. What others ask of the same engine goes first.
        source: a path: JSON lines, OpenAI batch lines, bodies of Ollama's API, CSV, Parquet, or a
            folder of texts; the lines may be packed with gzip or zstd. Or rows, each a prompt or a
            mapping: any iterable, any asynchronous one, or a function without arguments that gives
            one; see `open_source`.
        sink: where the answers go, with the errors and the journal beside them; None keeps
            nothing, and the results are all that there is.
        model: for rows that name none.
        models: other names for the models that rows name.
        prompt: what is asked, such as ``"Summarise: {text}"``.
        field: the field that is asked as it is; excludes `prompt`.
        system: the system message of plain rows.
        kind: which method of the engine plain rows call.
        options: Ollama's options.
        think: whether the model is to think.
        format: what the rows are: plain, csv, openai or ollama; None: found out.
        delimiter: between the cells of CSV.
        where: conditions on rows, such as ``lang=en``.
        limit: so many rows at most.
        sample: the share of rows, from 0 to 1.
        shard: such as ``3/8``.
        select: the fields of the records; none: all.
        answer_format: ``json``, or a JSON schema that answers follow.
        columns: keys of answers that are JSON objects, to become fields of the records; ``*``
            alone: all of the schema's. An answer that is none is an error.
        check: takes or rejects each answer, see `checking`: ``check(answer)`` or ``check(answer,
            row)``, asynchronous or run in a thread; or its name ``MODULE:FUNCTION``. Its name is
            stored: the batch can be resumed only with a check of that name.
        check_retries: how often an answer is asked for again, when the check says so.
        vote: so many answers to each row at most, of which the majority counts; see `voting`.
        vote_key: what an answer votes for: ``text``, ``number`` for the last one in it, a field of
            the JSON object that it is, a path such as ``$.result[0]``, or a function as `check`.
        tries: how often a row is asked before it has failed.
        limits: how many at a time, in which order, and when to give up.

    Raises:
        ChoiceError: an option means nothing.
        InputError: the input cannot be read.
        OutputExistsError: what is at `sink`, or beside it, is no batch's.
        SettingsChangedError: the batch at `sink` was begun with other settings.
        OutputBusyError: another process runs it.
        LedgerError: the disk does not let it.
    """
    check_tries(tries)
    recipe = Recipe(
        input=name_of(source),
        model=model,
        models=models or {},
        prompt=prompt,
        field=field,
        system=system,
        kind=kind,
        options=options or {},
        think=think,
        format=format,
        delimiter=delimiter,
        where=tuple(where),
        limit=limit,
        sample=sample,
        shard=shard,
        select=tuple(select),
        answer_format=answer_format,
        columns=tuple(columns),
        check=check,
        check_retries=check_retries,
        vote=vote,
        vote_key=vote_key,
    )
    output = Path(sink) if sink is not None else None
    await check_choices(recipe, output)
    async with AsyncExitStack() as stack:
        rows = await stack.enter_async_context(open_source(source, recipe.wanted()))
        ledger: Ledger | Unkept = Unkept()
        if output is not None:
            accepts = limits.accepts_changes
            opening = open_outcomes(recipe, output, is_resumed=None, accepts_changes=accepts)
            ledger = await stack.enter_async_context(opening)
        asker = Asker(engine, tries_max=tries)
        batch = await stack.enter_async_context(_batch_block(ledger))
        batch._job = make_job(rows, ledger, asker, recipe, limits, deliver=batch.deliver)  # noqa: SLF001 - our own
        yield batch


@asynccontextmanager
async def _batch_block(ledger: Ledger | Unkept) -> AsyncIterator[Batch]:
    """A batch for the time of a block; what the block raises is raised as it is."""
    async with open_background() as nursery:
        batch = Batch(nursery, ledger)
        with batch._results:  # noqa: SLF001 - our own
            yield batch


def _result_of(outcome: Outcome) -> Result:
    kind = outcome.entry.error_kind
    return Result(outcome.number, outcome.custom_id, outcome.answer, kind, outcome.error)
