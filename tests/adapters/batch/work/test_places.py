"""As many requests at a time as may be, whatever rows wait for; who was begun goes first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from tests.adapters.batch.work.answers import chat_of
from tests.adapters.batch.work.test_job import FakeLedger, FakeRows, row_of
from tests.adapters.batch.work.test_job_paced import Growing, answered, job_with
from trio.testing import MockClock, wait_all_tasks_blocked

from triollama import OverloadError, ServerFailedError, Timing
from triollama_adapters.batch.errors import RowLeftError
from triollama_adapters.batch.making import entry_of
from triollama_adapters.batch.output.records import FlatRecords
from triollama_adapters.batch.rows import Answer, Ask, Row
from triollama_adapters.batch.work.asking import Asked, Asker, Asks
from triollama_adapters.batch.work.capacity import EndpointLook
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.batch.work.places import Places
from triollama_adapters.batch.work.voting import Narrow, Voted

# ---- the places themselves


@attrs.define
class Fixed:
    """Bounds that a test sets."""

    capacity: int
    of: Mapping[str, int] = attrs.field(factory=dict)

    def capacity_of(self, model: str) -> int:
        """As was set, or all."""
        return self.of.get(model, self.capacity)


@attrs.define
class Line:
    """Rows that want places, and in which order they got them."""

    nursery: trio.Nursery
    places: Places
    got: list[str] = attrs.field(factory=list)
    left: list[str] = attrs.field(factory=list)
    scopes: dict[str, trio.CancelScope] = attrs.field(factory=dict)

    async def come(self, name: str) -> None:
        """One more, named by its model and more."""
        self.nursery.start_soon(self._take, name)
        await wait_all_tasks_blocked()

    async def _take(self, name: str) -> None:
        with trio.CancelScope() as self.scopes[name]:
            try:
                await self.places.take(name[0])
            except RowLeftError:
                self.left.append(name)
            else:
                self.got.append(name)


def places_of(capacity: int, **of: int) -> Places:
    """Places with these bounds."""
    places = Places()
    places.bounds = Fixed(capacity, of)
    return places


async def test_without_bounds_everybody_has_a_place_at_once() -> None:
    """Where there is no job that bounds them."""
    places = Places()
    for _ in range(1_000):
        await places.take("m")
    assert places.taken == 1_000


async def test_who_comes_first_is_served_first_unless_its_model_has_enough() -> None:
    """And nobody passes the bounds, of all and of each model."""
    async with trio.open_nursery() as nursery:
        line = Line(nursery, places_of(3, m=2))
        for name in ("m1", "m2", "m3", "n1", "n2", "m4"):
            await line.come(name)
        assert line.got == ["m1", "m2", "n1"]
        assert line.places.waiting == {"m": 2, "n": 1}
        assert line.places.wanted("m") == 4
        for model, then in (("n", "n2"), ("m", "m3"), ("m", "m4")):
            line.places.give_back(model)
            await wait_all_tasks_blocked()
            assert line.got[-1] == then
        assert line.places.taken == 3
        assert line.places.waiting == {}


async def test_bounds_that_grow_are_used_and_those_that_shrink_are_waited_for() -> None:
    """Nobody loses a place that it has."""
    async with trio.open_nursery() as nursery:
        line = Line(nursery, places_of(1))
        for name in ("m1", "m2", "m3"):
            await line.come(name)
        line.places.bounds = Fixed(2)
        line.places.look()
        await wait_all_tasks_blocked()
        assert line.got == ["m1", "m2"]
        line.places.bounds = Fixed(1)
        line.places.give_back("m")
        await wait_all_tasks_blocked()
        assert line.got == ["m1", "m2"]
        line.places.give_back("m")
        await wait_all_tasks_blocked()
        assert line.got == ["m1", "m2", "m3"]


async def test_a_place_is_not_lost_with_who_waited_for_it() -> None:
    """Whether it leaves the line, or was just given one."""
    async with trio.open_nursery() as nursery:
        line = Line(nursery, places_of(1))
        for name in ("m1", "m2", "m3", "m4"):
            await line.come(name)
        line.scopes["m2"].cancel()
        await wait_all_tasks_blocked()
        line.places.give_back("m")
        line.scopes["m3"].cancel()  # it has the place, and has not gone on yet
        await wait_all_tasks_blocked()
        if "m3" in line.got:
            line.places.give_back("m")
        await wait_all_tasks_blocked()
        assert line.got[-1] == "m4"
        assert line.places.taken == 1


async def test_when_the_job_stops_who_waits_is_sent_away() -> None:
    """What is free can still be had: who was begun is finished."""
    async with trio.open_nursery() as nursery:
        line = Line(nursery, places_of(1))
        for name in ("m1", "m2"):
            await line.come(name)
        line.places.close()
        await line.come("m3")
        assert sorted(line.left) == ["m2", "m3"]
        line.places.give_back("m")
        await line.come("m4")
        assert line.got == ["m1", "m4"]
        assert line.places.waiting == {}


# ---- whole jobs


@attrs.define
class Engine:
    """Refuses each row's first tries, soon, and answers slowly then.

    Attributes:
        refusals: how often each is refused.
        refused: the models whose rows are.
        in_line: how many waited for a place, whenever a row was begun.
        running: requests that run, of each model.
        most: how many ran at a time at most.
        order: the prompts as they came.
    """

    refusals: int = 1
    running: dict[str, int] = attrs.field(factory=dict)
    most: dict[str, int] = attrs.field(factory=dict)
    order: list[str] = attrs.field(factory=list)
    in_line: list[int] = attrs.field(factory=list)
    refused: str = "mn"
    gate: Gate = attrs.field(factory=Gate)
    error: Exception = attrs.field(
        factory=lambda: ServerFailedError("HTTP 500", endpoint="a", status=500)
    )
    endpoints = ("a",)

    @asynccontextmanager
    async def stream_chat(self, model: str, messages: Any, **_: Any) -> AsyncIterator[Any]:
        """One request."""
        text = str(messages) + str(_.get("options", {}).get("seed", ""))
        if text not in self.order:
            self.in_line.append(sum(self.gate.places.waiting.values()))
        self.order.append(text)
        for name in (model, "all"):
            self.running[name] = self.running.get(name, 0) + 1
            self.most[name] = max(self.most.get(name, 0), self.running[name])
        try:
            await trio.sleep(0.01)
            if model in self.refused and self.order.count(text) <= self.refusals:
                raise self.error
            await trio.sleep(0.5)
            yield Stream()
        finally:
            for name in (model, "all"):
                self.running[name] -= 1


class Stream:
    """One answer."""

    endpoint, attempts, timing = "a", (), Timing(1, 2, 3, 4)
    partial = SimpleNamespace(content="", thinking="", tool_calls=())

    async def collect(self) -> Answer:
        """At once."""
        await trio.lowlevel.checkpoint()
        return chat_of("yes")


class One(Growing):
    """One server with room for one model."""

    def look(self) -> list[EndpointLook]:
        """It has both."""
        return [EndpointLook("a", is_in_service=True, slots={"m:latest": 4, "n:latest": 4})]


NEVER_REFUSED = Ask("chat", {"model": "n", "messages": "n"})


def rows_of(count: int, models: str = "m") -> list[Row]:
    """Rows of these models, in turns."""
    return [
        attrs.evolve(
            row_of(n),
            ask=Ask("chat", {"model": models[n % len(models)], "messages": f"row {n}"}),
        )
        for n in range(count)
    ]


@attrs.define
class Two:
    """Two servers, of which each has one model."""

    slots: Mapping[str, int]

    def look(self) -> list[EndpointLook]:
        """As they are."""
        return [
            EndpointLook(name, is_in_service=True, slots={name: count}, available=frozenset({name}))
            for name, count in self.slots.items()
        ]

    async def learn_models(self) -> None:
        """Nothing new."""
        await trio.lowlevel.checkpoint()


def job_over(
    engine: Any,
    rows: list[Row],
    ledger: FakeLedger,
    *,
    servers: Two | None = None,
    around: Callable[[Asks], Asks] = lambda asks: asks,
    **limits: Any,
) -> Job:
    """A job whose rows pause for a second after each refusal."""
    engine.gate = Gate(draw=lambda: 1.0)
    asker = Asker(engine, gate=engine.gate, draw=lambda: 1.0)
    records = FlatRecords()
    return Job(
        FakeRows(rows),
        ledger,
        around(asker),
        lambda row, asked: entry_of(records, row, asked),
        Limits(**limits),
        gate=engine.gate,
        servers=servers,
    )


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize(
    "error",
    [
        ServerFailedError("HTTP 500", endpoint="a", status=500),
        OverloadError("the line is full", retry_after_s=1.0),
    ],
)
async def test_rows_that_paused_do_not_all_ask_at_once(
    autojump_clock: MockClock, error: Exception, share: float
) -> None:
    """While they pause others are begun; when that is over, they take turns."""
    engine, ledger = Engine(error=error), FakeLedger()
    await job_over(engine, rows_of(80), ledger, concurrency=4, use_share=share).run()
    assert answered(ledger) == list(range(80))
    assert engine.most["all"] == 4 * share


async def test_rows_that_come_back_go_before_new_ones(autojump_clock: MockClock) -> None:
    """None is begun while one that was begun before waits for its place."""
    engine, ledger = Engine(), FakeLedger()
    await job_over(engine, rows_of(200), ledger, concurrency=4).run()
    assert answered(ledger) == list(range(200))
    assert set(engine.in_line) == {0}


async def test_requests_of_a_vote_have_places_of_their_own(autojump_clock: MockClock) -> None:
    """Several of one row that pause are no reason to begin several rows."""

    async def key_of(answer: Answer, ask: Ask) -> str:
        return "yes"

    def around(asks: Asks) -> Asks:
        narrow = Narrow(asks)
        return Voted(narrow, 3, key_of, narrow)

    engine, ledger = Engine(), FakeLedger()
    await job_over(engine, rows_of(60), ledger, concurrency=4, around=around).run()
    assert answered(ledger) == list(range(60))
    assert engine.most["all"] == 4


async def test_a_pause_of_one_model_makes_no_room_for_another(autojump_clock: MockClock) -> None:
    """The rows of each are counted for themselves: no more than its servers have slots."""
    engine, ledger = Engine(refused="m"), FakeLedger()
    servers = Two({"m:latest": 8, "n:latest": 4})
    await job_over(engine, rows_of(160, "mn"), ledger, servers=servers).run()
    assert answered(ledger) == list(range(160))
    assert engine.most["m"] == 8
    assert engine.most["n"] <= 4 + 1  # and its overhang, once the others are done


async def test_a_row_whose_server_has_turned_away_comes_back(autojump_clock: MockClock) -> None:
    """One server for two models: a row that paused is asked again, although others wait."""
    engine, ledger = Engine(refused="m"), FakeLedger()
    rows = [*rows_of(3, "m"), *(attrs.evolve(row_of(n), ask=NEVER_REFUSED) for n in range(3, 300))]
    servers = One()
    async with trio.open_nursery() as nursery:
        job = job_over(engine, rows, ledger, servers=servers, window=50)
        nursery.start_soon(job.run)
        await trio.sleep(6.0)
        assert {0, 1, 2} <= set(answered(ledger))
        assert len(ledger.entries) < 300
    assert answered(ledger) == list(range(300))


# ---- rows that are asked twice


@attrs.define
class Late:
    """Answers soon, but for one row, of which each asking ends as is told.

    Attributes:
        first: how long the late row's first asking takes, and whether it is answered then.
        second: the same of its second one.
    """

    first: tuple[float, bool]
    second: tuple[float, bool]
    count: int = 30
    asked: int = 0
    given_up: int = 0

    async def ask(self, ask: Ask) -> Asked:
        """One asking."""
        number, self.asked = self.asked, self.asked + 1
        takes_s, is_answer = (0.1, True)
        if number >= self.count:
            takes_s, is_answer = self.first if number == self.count else self.second
        try:
            await trio.sleep(takes_s)
        except trio.Cancelled:
            self.given_up += 1
            raise
        error = None if is_answer else ServerFailedError("HTTP 500", endpoint="a", status=500)
        return Asked(chat_of("yes") if is_answer else None, error, None, 1)


@pytest.mark.parametrize(
    ("first", "second", "is_answered", "given_up", "took_s"),
    [
        ((8.0, False), (6.0, True), True, 0, 12.0),  # the second is waited for
        ((8.0, False), (6.0, False), False, 0, 12.0),
        ((30.0, True), (1.0, False), True, 0, 31.0),
        ((8.0, True), (60.0, True), True, 1, 9.0),
        ((60.0, True), (1.0, True), True, 1, 8.0),
    ],
)
async def test_a_row_that_is_asked_twice_is_answered_if_either_is(
    autojump_clock: MockClock,
    *,
    first: tuple[float, bool],
    second: tuple[float, bool],
    is_answered: bool,
    given_up: int,
    took_s: float,
) -> None:
    """Whichever ends first; what nobody waits for is given up."""
    asker, ledger = Late(first, second), FakeLedger()
    job = job_with(asker, [row_of(n) for n in range(31)], ledger, concurrency=2)
    await job.run()
    assert (job.progress.hedged, asker.asked) == (1, 32)
    assert (job.progress.answered, job.progress.failed) == (30 + is_answered, 1 - is_answered)
    assert asker.given_up == given_up
    assert len({entry.number for entry in ledger.entries}) == len(ledger.entries) == 31
    assert trio.current_time() <= took_s + 2.0


async def test_rows_that_are_asked_twice_have_two_places(autojump_clock: MockClock) -> None:
    """Several that are late at the end: no more requests than are allowed."""

    @attrs.define
    class Stuck(Late):
        running: int = 0
        most: int = 0

        async def ask(self, ask: Ask) -> Asked:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                return await Late.ask(self, ask)
            finally:
                self.running -= 1

    asker, ledger = Stuck((60.0, True), (60.0, True), count=300), FakeLedger()
    job = job_with(asker, [row_of(n) for n in range(303)], ledger, concurrency=4)
    await job.run()
    assert answered(ledger) == list(range(303))
    assert asker.most == 4
    assert job.progress.hedged == 1
