"""A whole job over fakes: each row has one outcome, whatever ends it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from triollama import FleetUnavailableError
from triollama.api import ChatFold, decode_chat_chunk
from triollama_adapters.batch.errors import (
    FirstFailureError,
    InputChangedError,
    TooManyFailuresError,
)
from triollama_adapters.batch.ledger.ledger import Entry, Standing
from triollama_adapters.batch.making import entry_of
from triollama_adapters.batch.output.records import FlatRecords
from triollama_adapters.batch.rows import Ask, Row, RowError
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.job import Job, Limits

ASK = Ask("chat", {"model": "m", "messages": []})


def row_of(number: int, *, is_bad: bool = False) -> Row:
    """A row; one that cannot be asked if it is bad."""
    error = RowError("LineNotJson", f"line {number + 1} is not JSON") if is_bad else None
    digest = number.to_bytes(16, "big")
    return Row(number, digest, f"line {number + 1}", 10, None if is_bad else ASK, error)


@attrs.define
class FakeRows:
    """Gives rows, some at a time."""

    rows: list[Row]
    at_once: int = 7
    given: int = 0
    passed_over: int = 0
    is_done: Callable[[int, bytes, str], bool] = lambda *_: False

    def pass_over(
        self, one: Callable[[int, bytes, str], bool], all_: Callable[[int, bytes], bool]
    ) -> None:
        """Leave out these."""
        assert all_
        self.is_done = one

    async def read(self) -> Sequence[Row] | None:
        """The next ones."""
        await trio.lowlevel.checkpoint()
        if self.given == len(self.rows):
            return None
        rows = self.rows[self.given : self.given + self.at_once]
        self.given += len(rows)
        new = [row for row in rows if not self.is_done(row.number, row.digest, row.place)]
        self.passed_over += len(rows) - len(new)
        return new


@attrs.define
class FakeLedger:
    """Keeps entries in memory."""

    standings: dict[int, Standing] = attrs.field(factory=dict)
    entries: list[Entry] = attrs.field(factory=list)
    commits: list[int] = attrs.field(factory=list)

    def standing(self, number: int, digest: bytes) -> Standing:
        """As was set."""
        assert len(digest) == 16
        return self.standings.get(number, Standing.NEW)

    def are_known(self, first: int, digests: bytes) -> bool:
        """Each is asked for by itself."""
        raise NotImplementedError

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Slowly."""
        await trio.sleep(0.005)
        self.commits.append(len(entries))
        self.entries += entries


@attrs.define
class FakeAsker:
    """Answers after a random time; of each ten one fails if it is to."""

    fails: bool = False
    seed: int = 1
    running: int = 0
    running_max: int = 0
    asked: int = 0

    async def ask(self, ask: Ask) -> Asked:
        """Answer, or fail."""
        assert ask is ASK
        self.asked += 1
        is_failure = self.fails and self.asked % 10 == 0
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            await trio.sleep(random.Random(self.seed * 1_000 + self.asked).random())
        finally:
            self.running -= 1
        if is_failure:
            return Asked(None, FleetUnavailableError(()), None, 5)
        fold = ChatFold()
        fold.add(decode_chat_chunk(b'{"message":{"content":"yes"},"done":true,"eval_count":3}', 1))
        return Asked(fold.result(), None, None, 1)


def job_of(
    rows: list[Row], ledger: FakeLedger, asker: FakeAsker | None = None, **limits: Any
) -> Job:
    """A job over these."""
    records = FlatRecords()
    return Job(
        FakeRows(rows),
        ledger,
        asker or FakeAsker(),
        lambda row, asked: entry_of(records, row, asked),
        Limits(**({"concurrency": 5} | limits)),
    )


@pytest.mark.parametrize("in_order", [True, False])
async def test_each_row_has_one_outcome(autojump_clock: MockClock, *, in_order: bool) -> None:
    """Answers, failures and rows that cannot be asked; in the order of the input if wanted."""
    rows = [row_of(number, is_bad=number % 9 == 4) for number in range(60)]
    ledger, asker = FakeLedger({3: Standing.DONE, 8: Standing.FAILED}), FakeAsker(fails=True)
    job = job_of(rows, ledger, asker, in_order=in_order)
    await job.run()
    numbers = [entry.number for entry in ledger.entries]
    assert sorted(numbers) == sorted(set(range(60)) - {3, 8})
    assert (numbers == sorted(numbers)) == in_order
    assert asker.running_max == 5
    now = job.progress
    failed = sum(entry.error_kind is not None for entry in ledger.entries)
    assert (now.read, now.skipped, now.answered, now.failed) == (60, 2, 58 - failed, failed)
    assert now.kinds == {"LineNotJson": 7, "FleetUnavailableError": 5}
    assert now.output_tokens == 3 * now.answered
    assert now.is_read_to_end


async def test_the_window_bounds_what_waits_for_its_turn(autojump_clock: MockClock) -> None:
    """While the first row takes long, no more than the window is read and answered."""

    class Slow(FakeAsker):
        async def ask(self, ask: Ask) -> Asked:
            if self.asked == 0:
                self.asked += 1
                await trio.sleep(100)
            return await super().ask(ask)

    ledger, asker = FakeLedger(), Slow()
    rows = [row_of(number) for number in range(200)]
    job = job_of(rows, ledger, asker, in_order=True, window=20)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(90)
        assert not ledger.entries
        assert asker.asked <= 21
    assert [entry.number for entry in ledger.entries] == list(range(200))


async def test_stopped_it_finishes_what_runs(autojump_clock: MockClock) -> None:
    """And begins nothing more: what is committed is what was asked."""
    ledger, asker = FakeLedger(), FakeAsker()
    job = job_of([row_of(number) for number in range(500)], ledger, asker, window=50)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(3)
        job.stop()
        asked = asker.asked
    assert len(ledger.entries) == asker.asked == asked < 500
    assert not job.progress.is_read_to_end


async def test_cancelled_it_keeps_what_is_complete(autojump_clock: MockClock) -> None:
    """Each answer that came is committed, none twice, and what ran is given up at once."""
    ledger, asker = FakeLedger(), FakeAsker()
    job = job_of([row_of(number) for number in range(500)], ledger, asker)
    with trio.move_on_after(3):
        await job.run()
    assert trio.current_time() < 3.2
    numbers = [entry.number for entry in ledger.entries]
    assert len(set(numbers)) == len(numbers) == job.progress.answered
    assert asker.asked - 5 <= len(numbers) <= asker.asked


async def test_the_first_failure_may_end_it(autojump_clock: MockClock) -> None:
    """It is committed first."""
    ledger = FakeLedger()
    job = job_of([row_of(n) for n in range(90)], ledger, FakeAsker(fails=True), is_fail_fast=True)
    with pytest.raises(FirstFailureError):
        await job.run()
    assert any(entry.error_kind for entry in ledger.entries)
    assert len(ledger.entries) < 90


@pytest.mark.parametrize(("share_max", "ends"), [(0.05, True), (0.2, False), (None, False)])
async def test_too_many_failures_end_it(
    autojump_clock: MockClock, share_max: float | None, *, ends: bool
) -> None:
    """Once there are enough rows to judge by."""
    ledger = FakeLedger()
    rows = [row_of(number) for number in range(90)]
    job = job_of(rows, ledger, FakeAsker(fails=True), failures_share_max=share_max)
    if ends:
        with pytest.raises(TooManyFailuresError, match="rows of this run failed, more than"):
            await job.run()
        assert 20 <= len(ledger.entries) < 90
    else:
        await job.run()
        assert len(ledger.entries) == 90


async def test_a_row_that_has_changed_ends_it(autojump_clock: MockClock) -> None:
    """Unless that is accepted: then its outcome stays."""
    rows = [row_of(number) for number in range(9)]
    ledger = FakeLedger({5: Standing.CHANGED})
    with pytest.raises(InputChangedError, match="line 6"):
        await job_of(rows, ledger).run()
    job = job_of(rows, FakeLedger({5: Standing.CHANGED}), accepts_changes=True)
    await job.run()
    assert (job.progress.skipped, job.progress.answered) == (1, 8)
