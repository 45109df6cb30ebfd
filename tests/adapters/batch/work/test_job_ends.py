"""How a job ends before its input does: what is complete is kept, none of it comes twice."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
import trio
from tests.adapters.batch.work.test_job import FakeAsker, FakeLedger, FakeRows, job_of, row_of
from trio.testing import MockClock

from triollama_adapters.batch.errors import FirstFailureError, InputError, LedgerError
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.rows import Ask, Row
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.job import GROUP_MAX, Job, Outcome

ROWS = 3_000


@attrs.define
class CountingAsker(FakeAsker):
    """Counts the rows that got their outcome."""

    complete: int = 0

    async def ask(self, ask: Ask) -> Asked:
        """Answer, or fail."""
        asked = await super().ask(ask)
        self.complete += 1
        return asked


@attrs.define
class SlowLedger(FakeLedger):
    """Takes its time, so that outcomes wait; and perhaps fails."""

    takes_s: float = 2.0
    fails_at: int = 0

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Slowly."""
        await trio.sleep(self.takes_s)
        if self.fails_at and len(self.commits) + 1 >= self.fails_at:
            raise LedgerError("cannot write: No space left on device")
        await super().commit(entries)


def rows(count: int = ROWS) -> list[Row]:
    """An input."""
    return [row_of(number) for number in range(count)]


def numbers(ledger: FakeLedger) -> list[int]:
    """The rows that are committed, each once."""
    found = [entry.number for entry in ledger.entries]
    assert len(set(found)) == len(found)
    return found


async def run_until(job: Job, after_s: float) -> None:
    """Run, and cancel it then."""
    with trio.move_on_after(after_s):
        await job.run()


MANY = pytest.mark.parametrize("concurrency", [40, 2 * GROUP_MAX])
"""Rows at a time; of the second number some workers still wait for the writer to take theirs."""


@pytest.mark.slow
@MANY
async def test_a_judgement_keeps_what_waits_for_the_disk(
    autojump_clock: MockClock, concurrency: int
) -> None:
    """`--fail-fast` ends the asking at once, but every answer that had come is committed."""
    ledger, asker = SlowLedger(), CountingAsker(fails=True)
    job = job_of(rows(), ledger, asker, concurrency=concurrency, is_fail_fast=True)
    with pytest.raises(FirstFailureError):
        await job.run()
    assert len(ledger.commits) > 1
    assert len(numbers(ledger)) == asker.complete < ROWS
    assert job.progress.answered + job.progress.failed == asker.complete


@pytest.mark.slow
@MANY
async def test_a_second_stop_keeps_what_waits_for_the_disk(
    autojump_clock: MockClock, concurrency: int
) -> None:
    """First nothing more is begun, then what runs is given up; what had come is committed."""
    ledger, asker = SlowLedger(takes_s=30.0), CountingAsker()
    job = job_of(rows(), ledger, asker, concurrency=concurrency)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run_until, job, 0.9)
        await trio.sleep(0.8)
        job.stop()
        begun = asker.asked
    assert asker.asked == begun
    assert asker.complete < begun
    assert len(numbers(ledger)) == asker.complete


@pytest.mark.parametrize("seed", range(20))
async def test_stopped_in_order_leaves_no_gap(autojump_clock: MockClock, seed: int) -> None:
    """What is finished after a stop is a beginning of the input: no answer waits in vain."""
    ledger, asker = FakeLedger(), CountingAsker(seed=seed)
    job = job_of(rows(500), ledger, asker, concurrency=7, in_order=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(2.0 + seed / 50)
        job.stop()
    assert numbers(ledger) == list(range(asker.complete))
    assert asker.complete == asker.asked < 500


async def test_cancelled_in_order_keeps_a_beginning(autojump_clock: MockClock) -> None:
    """Answers behind a row that was given up are left out: they are asked again."""
    ledger, asker = FakeLedger(), CountingAsker()
    await run_until(job_of(rows(500), ledger, asker, concurrency=7, in_order=True), 2.0)
    assert numbers(ledger) == list(range(len(ledger.entries)))
    assert 0 < len(ledger.entries) <= asker.complete


@pytest.mark.parametrize("fails_at", [1, 3])
async def test_a_disk_that_fails_ends_it_once(autojump_clock: MockClock, fails_at: int) -> None:
    """With its own reason; all that was acknowledged is counted, and nothing else."""
    ledger, asker = SlowLedger(takes_s=0.3, fails_at=fails_at), CountingAsker()
    job = job_of(rows(), ledger, asker, concurrency=40)
    with pytest.raises(LedgerError, match="No space left"):
        await job.run()
    assert len(ledger.commits) == fails_at - 1
    assert job.progress.answered == len(numbers(ledger)) < asker.complete < ROWS
    assert job.progress.running == 0


@pytest.mark.slow
async def test_a_slow_disk_holds_the_asking_back(autojump_clock: MockClock) -> None:
    """Workers wait for it: what waits is bounded, and in the end all is there."""
    ledger, asker = SlowLedger(takes_s=60.0), CountingAsker()
    job = job_of(rows(), ledger, asker, concurrency=40)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(59.0)
        assert not ledger.entries
        assert asker.complete <= 2 * GROUP_MAX + 40
    assert sorted(numbers(ledger)) == list(range(ROWS))


async def test_a_slow_reader_of_results_is_waited_for_when_it_ends(
    autojump_clock: MockClock,
) -> None:
    """Stopped, it gives all outcomes that it committed, in the order of the commits."""
    taken: list[int] = []

    async def deliver(outcomes: Sequence[Outcome]) -> None:
        await trio.sleep(1.0)
        taken.extend(each.number for each in outcomes)

    ledger, asker = FakeLedger(), CountingAsker()
    job = job_of(rows(), ledger, asker, concurrency=40)
    job._keeper._deliver = deliver
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(5.0)
        job.stop()
    assert taken == numbers(ledger)
    assert len(taken) == asker.complete == asker.asked < ROWS


async def test_a_defect_in_the_ledger_ends_it_too(autojump_clock: MockClock) -> None:
    """What is no fault of the disk ends the job at once, with workers waiting to hand over."""

    class Broken(FakeLedger):
        async def commit(self, entries: Sequence[Entry]) -> None:
            await trio.sleep(100)
            raise ValueError("row 3 has an outcome already")

    asker = CountingAsker()
    job = job_of(rows(), Broken(), asker, concurrency=40)
    with pytest.raises(BaseExceptionGroup) as caught:
        await job.run()
    assert caught.value.subgroup(ValueError) is not None
    assert trio.current_time() < 101


async def test_an_input_that_breaks_off_keeps_what_came(autojump_clock: MockClock) -> None:
    """An error of the source ends the job with its own reason; complete answers are committed."""

    class Breaking(FakeRows):
        async def read(self) -> Sequence[Row] | None:
            if self.given >= 100:
                await trio.sleep(3)
                raise InputError("cannot read the input in.jsonl.gz: it is cut off")
            return await super().read()

    ledger, asker = SlowLedger(takes_s=0.5), CountingAsker()
    job = job_of([], ledger, asker, concurrency=20)
    job._reader._rows = Breaking(rows(300))
    with pytest.raises(InputError, match="cut off"):
        await job.run()
    assert len(numbers(ledger)) == asker.complete > 0
