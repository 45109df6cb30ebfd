"""One job: every row of an input gets one outcome, whatever dies on the way.

A reader hands the rows that have no outcome yet to workers; each worker asks the engine and hands
over one entry; one writer commits the entries in groups. What was committed is never asked again.

Bounds: `Limits.concurrency` rows are asked at a time and as many wait for that; with the order of
the input, at most `Limits.window` rows are between the oldest that is not answered and the newest.
Memory does not grow with the input.

Under cancellation the reader and the workers leave at once; the writer stays until what was
complete is committed, but for answers that wait for an earlier row's because the order is kept:
those are asked again. `Job.stop` is the patient way: what runs is finished, nothing new is begun.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import attrs
import trio

from triollama_adapters.batch.errors import (
    BatchError,
    FirstFailureError,
    InputChangedError,
    RowLeftError,
    TooManyFailuresError,
)
from triollama_adapters.batch.ledger.ledger import Entry, Standing
from triollama_adapters.batch.rows import Ask, Row
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.order import InOrder

__all__ = ["Job", "Limits", "Outcome", "Progress"]

GROUP_MAX: Final = 512
"""Entries of one commit at most."""

GROUP_S: Final = 0.02
"""How long the first entry of a group waits for others: a commit costs some milliseconds, however
much is in it."""

TORN: Final = "LineTorn"
"""The kind of error of a last line that is not complete."""

JUDGED_MIN: Final = 20
"""Rows that must have an outcome before their share of failures says anything."""


@attrs.frozen(kw_only=True)
class Limits:
    """How a job may use the fleet, and when it gives up.

    Attributes:
        concurrency: rows asked at a time.
        window: rows on their way at most, see the module; at least `concurrency`.
        in_order: whether outcomes are committed in the order of the input.
        failures_share_max: the job ends when more than this share of its rows failed; None: never.
        is_fail_fast: whether the first row that fails ends it.
        accepts_changes: whether rows that were answered already may have changed since.
    """

    concurrency: int = 200
    window: int = 4_000
    in_order: bool = False
    failures_share_max: float | None = None
    is_fail_fast: bool = False
    accepts_changes: bool = False


@attrs.define
class Progress:
    """How far a job is.

    Attributes:
        begun_s: when, on the clock of `time.monotonic`.
        read: rows that came from the input.
        skipped: those that had an outcome from an earlier run.
        running: those that are asked now.
        answered: new answers that are committed.
        failed: new failures that are committed.
        input_tokens: of the new answers.
        output_tokens: of the new answers.
        kinds: how often each kind of failure came.
        is_read_to_end: whether no more rows will come.
        is_torn: whether the last one has no end yet, and was left out.
    """

    begun_s: float = attrs.field(factory=time.monotonic)
    read: int = 0
    skipped: int = 0
    running: int = 0
    answered: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    kinds: dict[str, int] = attrs.field(factory=dict)
    is_read_to_end: bool = False
    is_torn: bool = False


class Rows(Protocol):
    """Gives the rows of an input."""

    async def read(self) -> Sequence[Row] | None:
        """The next ones, perhaps none; None at the end."""


class Ledger(Protocol):
    """Knows what has an outcome."""

    def standing(self, number: int, digest: bytes) -> Standing:
        """Whether a row has one."""

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Keep these for good, all or none."""


class Asks(Protocol):
    """Asks rows."""

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row, to its outcome."""


@attrs.frozen
class Outcome:
    """What came of a row.

    Attributes:
        row: the row.
        asked: what came of asking it; None if it could not be asked.
        entry: what is kept of it.
    """

    row: Row
    asked: Asked | None
    entry: Entry


Deliver = Callable[[Sequence[Outcome]], Awaitable[None]]


class Job:
    """Runs one input. To be run once.

    Args:
        rows: the input.
        ledger: keeps the outcomes.
        asker: asks.
        shape: makes the entry of a row and what came of it; None for a row that cannot be asked.
        limits: see `Limits`.
        deliver: is given the outcomes of each commit, and waited for; None: nobody wants them.
        gate: where rows of `asker` wait when nobody answers; `stop` sends them away.

    Attributes:
        progress: how far it is.
    """

    def __init__(
        self,
        rows: Rows,
        ledger: Ledger,
        asker: Asks,
        shape: Callable[[Row, Asked | None], Entry],
        limits: Limits,
        *,
        deliver: Deliver | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate or Gate()
        self._rows = rows
        self._ledger = ledger
        self._asker = asker
        self._shape = shape
        self._limits = limits
        self._deliver = deliver
        self._order: InOrder[Outcome] = InOrder(is_kept=limits.in_order)
        self._window = trio.Semaphore(max(limits.window, limits.concurrency))
        self._is_stopping = False
        self._reading = trio.CancelScope()
        self._asking = trio.CancelScope()
        self._failure: BatchError | None = None
        self.progress = Progress()

    async def run(self) -> None:
        """Return when every row has an outcome that is committed, or after `stop`.

        Raises:
            BatchError: the job ended early; see the subclasses.
        """
        put, outcomes = trio.open_memory_channel[_Placed](GROUP_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, outcomes)
            with put, self._asking:
                await self._ask_all(put)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Begin no more rows; `run` returns when those that run have their outcome. Never waits."""
        self._is_stopping = True
        self._reading.cancel()
        self._gate.stop()

    async def _ask_all(self, put: trio.MemorySendChannel[_Placed]) -> None:
        put_row, rows = trio.open_memory_channel[tuple[int, Row]](self._limits.concurrency)
        async with trio.open_nursery() as nursery:
            with rows:
                nursery.start_soon(self._read, put_row, put.clone())
                for _ in range(self._limits.concurrency):
                    nursery.start_soon(self._work, rows.clone(), put.clone())

    # ---- reader

    async def _read(
        self,
        put_row: trio.MemorySendChannel[tuple[int, Row]],
        put: trio.MemorySendChannel[_Placed],
    ) -> None:
        place = 0
        with put_row, put, self._ended_by_errors(), self._reading:
            while (rows := await self._rows.read()) is not None:
                for row in filter(self._is_to_do, rows):
                    await self._window.acquire()
                    if row.ask is None:
                        outcome = Outcome(row, None, self._shape(row, None))
                        await put.send(_Placed(place, outcome))
                    else:
                        await put_row.send((place, row))
                    place += 1
            self.progress.is_read_to_end = True

    def _is_to_do(self, row: Row) -> bool:
        self.progress.read += 1
        return not self._is_torn(row) and not self._is_done(row)

    def _is_torn(self, row: Row) -> bool:
        """Whether the input ends within this row: it may be whole when the job is resumed."""
        is_torn = row.error is not None and row.error.kind == TORN
        self.progress.is_torn |= is_torn
        return is_torn

    def _is_done(self, row: Row) -> bool:
        standing = self._ledger.standing(row.number, row.digest)
        if standing is Standing.CHANGED and not self._limits.accepts_changes:
            raise InputChangedError(
                f"the input has changed since: {row.place} was answered with other content; "
                "go on with --accept-changes, or begin another output"
            )
        self.progress.skipped += standing is not Standing.NEW
        return standing is not Standing.NEW

    # ---- workers

    async def _work(
        self,
        rows: trio.MemoryReceiveChannel[tuple[int, Row]],
        put: trio.MemorySendChannel[_Placed],
    ) -> None:
        with rows, put, self._ended_by_errors():
            async for place, row in rows:
                if self._is_stopping:
                    return
                assert row.ask is not None
                self.progress.running += 1
                try:
                    asked = await self._asker.ask(row.ask)
                except RowLeftError:
                    return
                finally:
                    self.progress.running -= 1
                outcome = Outcome(row, asked, self._shape(row, asked))
                with trio.CancelScope(shield=True):  # the writer takes it, and outlasts all others
                    await put.send(_Placed(place, outcome))

    # ---- writer

    async def _write(self, outcomes: trio.MemoryReceiveChannel[_Placed]) -> None:
        # It ends when the others have ended, so the shield cannot outlast them by much.
        with trio.CancelScope(shield=True), outcomes:
            async for first in outcomes:
                ready = self._order.add(first.place, first.outcome)
                await trio.sleep(GROUP_S)
                while len(ready) < GROUP_MAX:
                    try:
                        each = outcomes.receive_nowait()
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                    ready += self._order.add(each.place, each.outcome)
                await self._keep(ready)

    async def _keep(self, ready: Sequence[Outcome]) -> None:
        """Commit a group; if that fails the job ends, and what is complete is taken as before."""
        if not ready:
            return
        try:
            await self._ledger.commit([each.entry for each in ready])
        except BatchError as error:
            self._end(error)
            return
        for each in ready:
            self._window.release()
            self._count(each.entry)
        self._judge()
        if self._deliver is not None:
            await self._deliver(ready)

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """End the job with what is raised here."""
        try:
            yield
        except BatchError as error:
            self._end(error)

    def _end(self, failure: BatchError) -> None:
        """End the job, for its first reason."""
        self._failure = self._failure or failure
        self._asking.cancel()

    def _count(self, entry: Entry) -> None:
        progress = self.progress
        if entry.error_kind is None:
            progress.answered += 1
            progress.input_tokens += entry.input_tokens
            progress.output_tokens += entry.output_tokens
        else:
            progress.failed += 1
            progress.kinds[entry.error_kind] = progress.kinds.get(entry.error_kind, 0) + 1

    def _judge(self) -> None:
        """Give up if too much fails."""
        progress, limits = self.progress, self._limits
        if progress.failed and limits.is_fail_fast:
            kind = next(iter(progress.kinds))
            self._end(FirstFailureError(f"a row failed ({kind}), and --fail-fast ends the job"))
            return
        judged = progress.answered + progress.failed
        share_max = limits.failures_share_max
        if share_max is None or judged < JUDGED_MIN or progress.failed <= share_max * judged:
            return
        self._end(
            TooManyFailuresError(
                f"{progress.failed:,} of {judged:,} rows failed, more than --max-error-rate "
                f"{share_max:g} allows"
            )
        )


@attrs.frozen
class _Placed:
    """An outcome, and its row's place among those that are asked."""

    place: int
    outcome: Outcome
