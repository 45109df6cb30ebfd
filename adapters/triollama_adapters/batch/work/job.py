"""One job: every row of an input gets one outcome, whatever dies on the way.

A reader hands the rows that have no outcome yet to workers; each worker asks the engine and hands
over one entry; one writer commits the entries in groups. What was committed is never asked again.

Bounds: `Limits.concurrency` rows are asked at a time and as many wait for that; with the order of
the input, at most `Limits.window` rows are between the oldest that is not answered and the newest.
Memory does not grow with the input.

Under cancellation the reader and the workers leave at once; the writer stays until what was
complete is committed. `Job.stop` is the patient way: what runs is finished, nothing new is begun.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import attrs
import trio

from triollama_adapters.batch.errors import (
    FirstFailureError,
    InputChangedError,
    TooManyFailuresError,
)
from triollama_adapters.batch.ledger.ledger import Entry, Standing
from triollama_adapters.batch.rows import Ask, Row
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.order import InOrder

__all__ = ["Job", "Limits", "Progress"]

GROUP_MAX: Final = 512
"""Entries of one commit at most."""

GROUP_S: Final = 0.02
"""How long the first entry of a group waits for others: a commit costs some milliseconds, however
much is in it."""

COMMIT_WITHIN_S: Final = 30.0
"""How long the writer may take when everything else was cancelled."""

TORN: Final = "LineTorn"
"""The kind of error of a last line that is not complete."""

JUDGED_MIN: Final = 20
"""Rows that must have an outcome before their share of failures says anything."""


@attrs.frozen(kw_only=True)
class Limits:
    """How a job may use the fleet, and when it gives up.

    Attributes:
        concurrency: rows asked at a time.
        window: see the module; at least `concurrency`.
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
class _Place:
    """A row on its way, with its place among those that are asked."""

    place: int
    row: Row


class Job:
    """Runs one input. To be run once.

    Args:
        rows: the input.
        ledger: keeps the outcomes.
        asker: asks.
        shape: makes the entry of a row and what came of it; None for a row that cannot be asked.
        limits: see `Limits`.

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
    ) -> None:
        self._rows = rows
        self._ledger = ledger
        self._asker = asker
        self._shape = shape
        self._limits = limits
        self._order: InOrder[Entry] = InOrder(is_kept=limits.in_order)
        self._window = trio.Semaphore(max(limits.window, limits.concurrency))
        self._is_stopping = False
        self.progress = Progress()

    async def run(self) -> None:
        """Return when every row has an outcome that is committed, or after `stop`.

        Raises:
            BatchError: the job ended early, within a group; see the subclasses.
        """
        put_row, rows = trio.open_memory_channel[_Place](self._limits.concurrency)
        put_entry, entries = trio.open_memory_channel[tuple[int, Entry]](GROUP_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, entries)
            with rows, put_entry:
                nursery.start_soon(self._read, put_row, put_entry.clone())
                for _ in range(self._limits.concurrency):
                    nursery.start_soon(self._work, rows.clone(), put_entry.clone())

    def stop(self) -> None:
        """Begin no more rows; `run` returns when those that run have their outcome. Never waits."""
        self._is_stopping = True

    # ---- reader

    async def _read(
        self,
        put_row: trio.MemorySendChannel[_Place],
        put_entry: trio.MemorySendChannel[tuple[int, Entry]],
    ) -> None:
        place = 0
        with put_row, put_entry:
            while (rows := await self._rows.read()) is not None:
                for row in rows:
                    if self._is_stopping:
                        return
                    self.progress.read += 1
                    if self._is_torn(row) or self._is_done(row):
                        continue
                    await self._window.acquire()
                    if row.ask is None:
                        await put_entry.send((place, self._shape(row, None)))
                    else:
                        await put_row.send(_Place(place, row))
                    place += 1
            self.progress.is_read_to_end = True

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
        rows: trio.MemoryReceiveChannel[_Place],
        put_entry: trio.MemorySendChannel[tuple[int, Entry]],
    ) -> None:
        with rows, put_entry:
            async for each in rows:
                if self._is_stopping:
                    return
                assert each.row.ask is not None
                self.progress.running += 1
                try:
                    asked = await self._asker.ask(each.row.ask)
                finally:
                    self.progress.running -= 1
                with trio.move_on_after(COMMIT_WITHIN_S, shield=True):
                    await put_entry.send((each.place, self._shape(each.row, asked)))

    # ---- writer

    async def _write(self, entries: trio.MemoryReceiveChannel[tuple[int, Entry]]) -> None:
        # It ends when the others have ended, so the shield cannot outlast them by much.
        with trio.CancelScope(shield=True), entries:
            async for place, entry in entries:
                ready = self._order.add(place, entry)
                await trio.sleep(GROUP_S)
                while len(ready) < GROUP_MAX:
                    try:
                        ready += self._order.add(*entries.receive_nowait())
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                await self._commit(ready)

    async def _commit(self, ready: Sequence[Entry]) -> None:
        if not ready:
            return
        await self._ledger.commit(ready)
        for entry in ready:
            self._window.release()
            self._count(entry)
        self._judge()

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
            raise FirstFailureError(f"a row failed ({kind}), and --fail-fast ends the job then")
        judged = progress.answered + progress.failed
        share_max = limits.failures_share_max
        if share_max is None or judged < JUDGED_MIN or progress.failed <= share_max * judged:
            return
        raise TooManyFailuresError(
            f"{progress.failed:,} of {judged:,} rows failed, more than --max-error-rate "
            f"{share_max:g} allows"
        )
