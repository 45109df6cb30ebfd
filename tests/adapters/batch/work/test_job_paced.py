"""A job and its servers: outages, times of day, rates, rows that are late, and stops meanwhile."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from tests.adapters.batch.work.test_job import ASK, FakeAsker, FakeLedger, FakeRows, row_of
from trio.testing import MockClock

from triollama import Usage, open_engine
from triollama_adapters.batch.errors import FleetDownError
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.making import entry_of
from triollama_adapters.batch.output.records import FlatRecords
from triollama_adapters.batch.rows import Ask, Row, RowError
from triollama_adapters.batch.work import desk
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.batch.work.capacity import EndpointLook
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.batch.work.windows import parse_time_window
from triollama_adapters.simulator import SimulatedFleet, SimulatorConfig, open_fleet

URLS = ("http://a:11434", "http://b:11434")


def rows_of(count: int) -> list[Row]:
    """Rows that real servers can answer."""
    return [
        attrs.evolve(
            row_of(number),
            ask=Ask("chat", {"model": "llama3.2", "messages": f"Question {number}?"}),
        )
        for number in range(count)
    ]


def job_with(asker: Any, rows: list[Row], ledger: FakeLedger, **limits: Any) -> Job:
    """A job; over an `Asker` it follows the servers."""
    records = FlatRecords()
    parts = {}
    if isinstance(asker, Asker):
        parts = {"gate": asker.gate, "servers": asker.servers, "watch": asker.watch}
    return Job(
        FakeRows(rows),
        ledger,
        asker,
        lambda row, asked: entry_of(records, row, asked),
        Limits(**limits),
        **parts,
    )


def answered(ledger: FakeLedger) -> list[int]:
    """The rows that have an answer; none failed, none twice."""
    assert [entry.error_kind for entry in ledger.entries] == [None] * len(ledger.entries)
    numbers = [entry.number for entry in ledger.entries]
    assert len(set(numbers)) == len(numbers)
    return sorted(numbers)


async def take_down(fleet: SimulatedFleet, from_s: float, for_s: float | None = None) -> None:
    """Kill all servers; and perhaps bring them back."""
    await trio.sleep(from_s)
    for url in fleet.urls:
        fleet.kill(url)
    if for_s is not None:
        await trio.sleep(for_s)
        for url in fleet.urls:
            fleet.revive(url)


@pytest.mark.slow
async def test_an_outage_is_told_and_waited_out(autojump_clock: MockClock) -> None:
    """Every row is answered, and meanwhile hardly any is begun."""
    ledger = FakeLedger()
    async with (
        open_fleet(dict.fromkeys(URLS, SimulatorConfig())) as fleet,
        open_engine(*URLS, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        job = job_with(Asker(engine, tries_max=1), rows_of(200), ledger)
        nursery.start_soon(take_down, fleet, 5.0, 200.0)
        nursery.start_soon(job.run)
        await trio.sleep(60.0)
        assert job.progress.down_since_s is not None
        assert job.progress.answered < 150
        before = engine.statistics().accepted
        await trio.sleep(120.0)
        # One each five seconds, and some that are still on their way.
        assert engine.statistics().accepted - before <= 24 + 10
        assert job.progress.failed == 0
    assert answered(ledger) == list(range(200))
    assert job.progress.down_since_s is None


@pytest.mark.slow
async def test_at_last_it_ends_and_no_row_is_blamed(autojump_clock: MockClock) -> None:
    """What was not answered is left for a resume."""
    ledger = FakeLedger()
    async with (
        open_fleet(dict.fromkeys(URLS, SimulatorConfig())) as fleet,
        open_engine(*URLS, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(take_down, fleet, 5.0)
        job = job_with(Asker(engine), rows_of(100), ledger, outage_s_max=60.0)
        with pytest.raises(FleetDownError):
            await job.run()
        assert 65.0 <= trio.current_time() <= 90.0
    assert 0 < len(answered(ledger)) < 100
    assert job.progress.running == 0


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [6.0, 40.0])
async def test_stopped_in_an_outage_it_ends_soon(autojump_clock: MockClock, after_s: float) -> None:
    """Rows that wait for a server are sent away; nothing is marked."""
    ledger = FakeLedger()
    async with (
        open_fleet(dict.fromkeys(URLS, SimulatorConfig())) as fleet,
        open_engine(*URLS, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(take_down, fleet, 5.0)
        job = job_with(Asker(engine), rows_of(100), ledger)
        async with trio.open_nursery() as running:
            running.start_soon(job.run)
            await trio.sleep(after_s)
            job.stop()
        assert trio.current_time() <= after_s + 30.0  # what the engine still tries
    assert 0 < len(answered(ledger)) < 100


@pytest.mark.slow
async def test_rows_are_begun_only_at_their_time_of_day(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs goes on, nothing is begun, and it is told when it goes on."""

    def clock() -> datetime:
        minute = int(trio.current_time()) % 60
        return datetime(2026, 8, 1, 5, minute).astimezone()

    monkeypatch.setattr(desk, "local_now", clock)
    ledger, asker = FakeLedger(), FakeAsker()
    window = parse_time_window("05:30-05:05")
    job = job_with(
        asker, [row_of(n) for n in range(300)], ledger, concurrency=5, only_between=window
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(10.0)
        assert job.progress.waits_for == "nothing is begun before 05:30"
        assert 0 < asker.asked < 100
        assert asker.running == 0
        begun = asker.asked
        await trio.sleep(19.0)
        assert asker.asked == begun
        await trio.sleep(5.0)
        assert asker.asked > begun
        assert job.progress.waits_for == ""
    assert answered(ledger) == list(range(300))


@pytest.mark.slow
async def test_a_stop_reaches_a_job_that_waits_for_the_night(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: nothing runs."""
    noon = datetime(2026, 8, 1, 12).astimezone()
    monkeypatch.setattr(desk, "local_now", lambda: noon)
    asker = FakeAsker()
    window = parse_time_window("22:00-06:00")
    job = job_with(asker, [row_of(0)], FakeLedger(), only_between=window)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(100.0)
        assert asker.asked == 0
        job.stop()
    assert trio.current_time() == 100.0


@pytest.mark.slow
async def test_tokens_a_minute_are_kept(autojump_clock: MockClock) -> None:
    """Each answer has three tokens; it takes as long as the rate says."""
    ledger = FakeLedger()
    rows = [attrs.evolve(row_of(n), size_bytes=0) for n in range(200)]
    job = job_with(FakeAsker(), rows, ledger, concurrency=5, tokens_per_minute=600.0)
    await job.run()
    assert answered(ledger) == list(range(200))
    assert 200 * 3 / 10.0 - 10.0 <= trio.current_time() <= 200 * 3 / 10.0 + 60.0


@pytest.mark.slow
async def test_tokens_of_rows_that_fail_are_kept_too(autojump_clock: MockClock) -> None:
    """Each has three answers, none of which counts."""

    class Refusing(FakeAsker):
        async def ask(self, ask: Ask) -> Asked:
            """Refuse the last one."""
            asked = await FakeAsker.ask(self, ask)
            wasted, error = Usage(output_tokens=6), RowError("AnswerRejected", "no")
            refused = asked.answer
            return attrs.evolve(asked, answer=None, error=error, refused=refused, wasted=wasted)

    ledger = FakeLedger()
    rows = [attrs.evolve(row_of(n), size_bytes=0) for n in range(200)]
    job = job_with(Refusing(), rows, ledger, concurrency=5, tokens_per_minute=600.0)
    await job.run()
    assert (job.progress.failed, job.progress.output_tokens) == (200, 200 * 9)
    assert trio.current_time() >= 200 * 9 / 10.0 - 10.0


@attrs.define
class Stuck(FakeAsker):
    """One row hangs the first time that it is asked; a second copy of it does not."""

    stuck_at: int = 100
    given_up: int = 0

    async def ask(self, ask: Ask) -> Asked:
        """Answer, or hang."""
        if self.asked == self.stuck_at:
            self.asked += 1
            try:
                await trio.sleep(10_000.0)
            finally:
                self.given_up += 1
        return await FakeAsker.ask(self, ask)


async def test_a_last_row_that_hangs_is_asked_a_second_time(autojump_clock: MockClock) -> None:
    """The first answer counts, and the other request is given up."""
    ledger, asker = FakeLedger(), Stuck()
    job = job_with(asker, [row_of(n) for n in range(120)], ledger, concurrency=5)
    await job.run()
    assert answered(ledger) == list(range(120))
    assert trio.current_time() < 60.0
    assert (asker.given_up, job.progress.hedged, asker.asked) == (1, 1, 121)


async def test_a_row_that_ends_while_it_is_asked_twice_counts_once(
    autojump_clock: MockClock,
) -> None:
    """Whoever is first."""

    class Slow(Stuck):
        async def ask(self, ask: Ask) -> Asked:
            if self.asked == self.stuck_at:
                self.asked += 1
                await trio.sleep(30.0)
                return await FakeAsker.ask(self, ask)
            if self.asked >= 120:
                self.asked += 1
                try:
                    await trio.sleep(10_000.0)
                finally:
                    self.given_up += 1
            return await FakeAsker.ask(self, ask)

    ledger, asker = FakeLedger(), Slow()
    job = job_with(asker, [row_of(n) for n in range(120)], ledger, concurrency=5)
    await job.run()
    assert answered(ledger) == list(range(120))
    assert (asker.given_up, job.progress.hedged) == (1, 1)
    assert trio.current_time() < 90.0


@attrs.define
class Growing:
    """Servers of which more and more is known."""

    slots: int = 2
    learnt: int = 0

    def look(self) -> list[EndpointLook]:
        """Twice as much each second, up to 32."""
        self.slots = min(32, 2 ** (1 + int(trio.current_time())))
        return [EndpointLook("a", is_in_service=True, slots={"m:latest": self.slots})]

    async def learn_models(self) -> None:
        """Nothing new."""
        self.learnt += 1
        await trio.lowlevel.checkpoint()


async def test_as_many_rows_run_as_the_servers_are_known_to_have_slots(
    autojump_clock: MockClock,
) -> None:
    """From few on, as that grows; and no more than was asked for."""
    for concurrency, most in ((None, 32 + 4), (20, 20)):
        ledger, asker = FakeLedger(), FakeAsker()
        records = FlatRecords()
        job = Job(
            FakeRows([row_of(n) for n in range(1_000)]),
            ledger,
            asker,
            lambda row, asked: entry_of(records, row, asked),  # noqa: B023 - the same for all
            Limits(concurrency=concurrency),
            servers=Growing(),
        )
        await job.run()
        assert asker.running_max == most
        assert len(answered(ledger)) == 1_000


async def test_models_take_turns_on_one_server(autojump_clock: MockClock) -> None:
    """Rows of two models that come mixed are asked model by model, as far as the window goes."""
    asked: list[str] = []

    class Noting(FakeAsker):
        async def ask(self, ask: Ask) -> Asked:
            asked.append(ask.model)
            return await FakeAsker.ask(self, ASK)

    class Two(Growing):
        def look(self) -> list[EndpointLook]:
            return [EndpointLook("a", is_in_service=True, slots={"m:latest": 4, "n:latest": 4})]

    records = FlatRecords()
    rows = [
        attrs.evolve(row_of(n), ask=Ask("chat", {"model": "mn"[n % 2], "messages": []}))
        for n in range(400)
    ]
    servers, ledger = Two(), FakeLedger()
    job = Job(
        FakeRows(rows),
        ledger,
        Noting(),
        lambda row, asked: entry_of(records, row, asked),
        Limits(window=100),
        servers=servers,
    )
    await job.run()
    assert answered(ledger) == list(range(400))
    swaps = sum(one != other for one, other in pairwise(asked))
    assert swaps <= 12
    assert servers.learnt >= 1


@pytest.mark.slow
async def test_servers_with_room_for_one_model_load_them_seldom(autojump_clock: MockClock) -> None:
    """Rows of two models that come mixed, on two servers: some loads, and not one in ten rows."""
    config = SimulatorConfig(max_loaded_models=1, load_s=5.0)
    models = [each.name for each in config.models[:2]]
    rows = [
        attrs.evolve(each, ask=Ask("chat", {"model": models[n % 2], "messages": f"Question {n}?"}))
        for n, each in enumerate(rows_of(200))
    ]
    ledger, loads = FakeLedger(), 0

    async def watch(fleet: SimulatedFleet) -> None:
        nonlocal loads
        seen: dict[str, set[object]] = {}
        while True:
            await trio.sleep(0.5)
            for url in fleet.urls:
                there = set(fleet.simulator(url).scheduler.runners)
                if there and seen.get(url) != there:
                    seen[url], loads = there, loads + 1

    async with (
        open_fleet(dict.fromkeys(URLS, config)) as fleet,
        open_engine(*URLS, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(watch, fleet)
        await job_with(Asker(engine), rows, ledger, window=100).run()
        nursery.cancel_scope.cancel()
    assert answered(ledger) == list(range(200))
    assert 2 <= loads <= 12


async def test_long_inputs_are_not_all_read_ahead(autojump_clock: MockClock) -> None:
    """Rows that wait are bounded by their size, too."""
    ledger = FakeLedger()
    rows = [attrs.evolve(row_of(n), size_bytes=desk.HELD_BYTES_MAX // 8) for n in range(100)]
    job = job_with(FakeAsker(), rows, ledger, concurrency=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(job.run)
        await trio.sleep(1.0)
        assert job.progress.read <= 8 + 7 + 2 * 10
    assert answered(ledger) == list(range(100))


@attrs.define
class Fresh(FakeRows):
    """Gives rows that nobody else holds."""

    size: int = 10_000
    asks: list[weakref.ref[Ask]] = attrs.field(factory=list)

    async def read(self) -> Sequence[Row] | None:
        """The next one, of a hundred."""
        await trio.lowlevel.checkpoint()
        if self.given == 100:
            return None
        self.given += 1
        ask = Ask("chat", {"model": "m", "messages": []})
        self.asks.append(weakref.ref(ask))
        return [attrs.evolve(row_of(self.given - 1), ask=ask, size_bytes=self.size)]


class Slow(FakeAsker):
    """Answers all but the first row soon."""

    async def ask(self, ask: Ask) -> Asked:
        """Answer."""
        return await FakeAsker.ask(self, ASK) if self.asked else await self._first()

    async def _first(self) -> Asked:
        self.asked += 1
        await trio.sleep(200.0)
        return await FakeAsker.ask(self, ASK)


async def test_what_waits_for_an_earlier_row_is_small_and_bounded(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the order kept: no request is held, and of the records so many bytes at most."""
    monkeypatch.setattr(desk, "HELD_BYTES_MAX", 100_000)
    for record_bytes, asked_max in ((10_000, 10 + 1 + 5), (10, 100)):
        rows, ledger, asker = Fresh([]), FakeLedger(), Slow()
        record = b"x" * record_bytes
        job = Job(
            rows,
            ledger,
            asker,
            lambda row, asked: Entry(row.number, row.digest, record),  # noqa: B023 - used here
            Limits(concurrency=5, in_order=True),
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(job.run)
            await trio.sleep(190.0)
            assert not ledger.entries
            assert asked_max * 0.6 <= asker.asked <= asked_max
            gc.collect()
            held = sum(ref() is not None for ref in rows.asks)
            assert held <= 2 + (rows.given - asker.asked)
        assert answered(ledger) == list(range(100))
