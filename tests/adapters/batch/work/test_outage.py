"""Nobody answers: rows wait, lose no try, and go on when somebody is back."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from triollama import (
    ConnectError,
    ConnectionLostError,
    FleetUnavailableError,
    OverloadError,
    ServerBusyError,
    ServerFailedError,
    StreamBrokenError,
    TriollamaError,
    open_engine,
)
from triollama_adapters.batch.errors import FleetDownError, RowLeftError
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.outage import PROBE_S, Outages, is_out_of_reach
from triollama_adapters.simulator import SimulatedFleet, SimulatorConfig, open_fleet

A, B = "http://a:11434", "http://b:11434"
CHAT = Ask("chat", {"model": "llama3.2", "messages": [{"role": "user", "content": "why?"}]})

GONE = ConnectError("refused", endpoint="a")
LOST = ConnectionLostError("reset", endpoint="a")
BUSY = ServerBusyError("full", status=503)
FAILED = ServerFailedError("no", status=500)


def broken(cause: TriollamaError) -> StreamBrokenError:
    """An answer that broke for a reason."""
    error = StreamBrokenError("x", reason="y")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (GONE, True),
        (FleetUnavailableError(()), True),
        (FleetUnavailableError((GONE, LOST, BUSY)), True),
        (FleetUnavailableError((GONE, FAILED)), False),
        (broken(FleetUnavailableError((LOST, GONE))), True),
        (broken(FAILED), False),
        (FAILED, False),
        (OverloadError("full", retry_after_s=1.0), False),
    ],
)
def test_what_is_nobodys_fault(error: TriollamaError, *, is_so: bool) -> None:
    """Nobody was there, or nobody took it; a server that fails is there."""
    assert is_out_of_reach(error) is is_so


def test_one_row_at_a_time_finds_out() -> None:
    """The others wait; any answer ends it, and it is given up when none has come for long."""
    outages = Outages(give_up_s=100.0, began_s=0.0)
    assert not outages.answered("m", 5.0)
    assert not outages.missed("m", 4.0, 6.0)  # asked before the last answer came
    assert outages.missed("m", 5.5, 7.0)
    assert outages.is_down("m")
    assert not outages.is_down("n")
    assert outages.since_s == 5.5
    due_s = outages.probe_due_s("m")
    assert due_s == 7.0 + PROBE_S
    assert not outages.take_probe("m", due_s - 0.1)
    assert outages.take_probe("m", due_s)
    assert not outages.take_probe("m", due_s + 0.1)
    assert outages.give_up_due_s() == 105.5
    assert not outages.answered("n", 50.0)  # another model's rows go on, so the job does
    assert outages.give_up_due_s() == 150.0
    assert outages.answered("m", 60.0)
    assert outages.since_s is None


@given(st.lists(st.tuples(st.sampled_from("mn"), st.booleans(), st.integers(0, 5)), max_size=40))
def test_an_outage_is_what_no_answer_has_ended(told: list[tuple[str, bool, int]]) -> None:
    """Whatever comes in whichever order: a model is down from a miss until its next answer."""
    outages, down, now_s = Outages(100.0, 0.0), set(), 0.0
    for model, is_answer, waited_s in told:
        asked_s, now_s = now_s + 0.5, now_s + 1.0 + waited_s
        if is_answer:
            assert outages.answered(model, now_s) == (model in down)
            down.discard(model)
        else:
            assert outages.missed(model, asked_s, now_s)
            down.add(model)
        assert {model for model in "mn" if outages.is_down(model)} == down
        assert (outages.since_s is None) == (not down)
        if down:
            assert outages.give_up_due_s() >= outages.since_s + 100.0


async def ask_many(asker: Asker, count: int) -> list[Asked]:
    """Ask so many rows at once."""
    asked: list[Asked] = []

    async def ask() -> None:
        asked.append(await asker.ask(CHAT))

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)
    return asked


async def take_down(fleet: SimulatedFleet, from_s: float, for_s: float) -> None:
    """Kill all servers, and bring them back."""
    await trio.sleep(from_s)
    for url in fleet.urls:
        fleet.kill(url)
    await trio.sleep(for_s)
    for url in fleet.urls:
        fleet.revive(url)


@pytest.mark.slow
async def test_a_fleet_that_is_away_for_minutes_costs_no_row(autojump_clock: MockClock) -> None:
    """All are answered when it is back, although each may be tried only once."""
    async with (
        open_fleet({A: SimulatorConfig(), B: SimulatorConfig()}) as fleet,
        open_engine(A, B, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        asker = Asker(engine, tries_max=1)
        nursery.start_soon(take_down, fleet, 1.0, 300.0)
        asked = await ask_many(asker, 20)
        assert 301.0 < trio.current_time() < 340.0
    assert [each.error for each in asked] == [None] * 20
    assert asker.gate.since_s is None
    assert asker.gate.waiting == 0


@pytest.mark.parametrize(("give_up_s", "told"), [(120.0, "2 min"), (20.0, "20 s")])
async def test_at_last_it_is_given_up(
    autojump_clock: MockClock, give_up_s: float, told: str
) -> None:
    """With one line that says for how long nobody answered; no row is blamed."""
    gate = Gate(give_up_s=give_up_s)
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        fleet.kill(A)
        with pytest.raises(FleetDownError, match=rf"'llama3\.2:latest' for {told};"):
            await Asker(engine, gate=gate).ask(CHAT)
        assert give_up_s <= trio.current_time() < give_up_s + 30.0
    assert gate.waiting == 0


async def test_who_waits_is_sent_away_when_the_job_stops(autojump_clock: MockClock) -> None:
    """During an outage, and between two tries."""
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        fleet.kill(A)
        asker = Asker(engine)

        async def ask() -> None:
            with pytest.raises(RowLeftError):
                await asker.ask(CHAT)

        nursery.start_soon(ask)
        await trio.sleep(60)
        while not asker.gate.waiting:  # its turn to find out
            await trio.sleep(0.1)
        assert asker.gate.is_down("llama3.2:latest")
        asker.gate.stop()
    with pytest.raises(RowLeftError):
        await asker.gate.pause(5.0, "m")


async def test_a_full_line_is_waited_out(autojump_clock: MockClock) -> None:
    """As long as the engine says; it is no try."""

    class Full:
        endpoints = ("a",)
        refusals = 7

        async def embed(self, **_: object) -> str:
            if self.refusals:
                self.refusals -= 1
                raise OverloadError("the line is full", retry_after_s=2.0)
            return "vectors"

    asked = await Asker(Full(), tries_max=1, draw=lambda: 0.5).ask(Ask("embed", {"model": "m"}))
    assert asked.answer == "vectors"
    assert trio.current_time() == pytest.approx(14.0)
