"""Faults: how they are written, when what is done, and that nothing stays done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.result import Event
from triollama_adapters.loadtest.running.causing import cause
from triollama_adapters.loadtest.running.faults import (
    Fault,
    Step,
    StrikeError,
    parse_fault,
    resolve,
    steps,
)

ENDPOINTS = (
    "http://gpu-1:11434",
    "http://gpu-2:11434",
    "http://gpu-2:11435",
    "http://[::1]:11434",
)


class Hand:
    """A striker that notes what it is told, and when."""

    def __init__(self, *, takes_s: float = 0.0, fails: str = "") -> None:
        self.struck: list[tuple[float, str, str]] = []
        self._takes_s = takes_s
        self._fails = fails

    async def strike(self, step: Step) -> str:
        """Note it."""
        self.struck.append((trio.current_time(), step.act, step.endpoint))
        await trio.sleep(self._takes_s)
        if step.act == self._fails:
            raise StrikeError("it is too strong")
        return ""


def clock_from_now() -> Callable[[], float]:
    """The time of a run that begins now."""
    began = trio.current_time()
    return lambda: trio.current_time() - began


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kill gpu-1 at 20s", Fault("kill", "gpu-1", 20.0)),
        ("kill  gpu-1 at 1m for 5s", Fault("kill", "gpu-1", 60.0, 5.0)),
        ("stall gpu-1:11434 at 20s for 5s", Fault("stall", "gpu-1:11434", 20.0, 5.0)),
        ("slow http://gpu-1 at 2s to 10%", Fault("slow", "http://gpu-1", 2.0, None, 0.1)),
        ("slow gpu-1 at 2s to 12.5 % for 9s", Fault("slow", "gpu-1", 2.0, 9.0, 0.125)),
        (" restart gpu-1 at 500ms ", Fault("restart", "gpu-1", 0.5)),
    ],
)
def test_parse_fault(text: str, fault: Fault) -> None:
    """Each kind is read with its times and its share; blanks do not matter."""
    found = parse_fault(text)
    assert found.text == text
    assert (found.kind, found.endpoint, found.at_s) == (fault.kind, fault.endpoint, fault.at_s)
    assert (found.for_s, found.share) == (fault.for_s, fault.share)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kill gpu-1",
        "shoot gpu-1 at 20s",
        "kill gpu-1 at 20s to 10%",
        "slow gpu-1 at 20s",
        "slow gpu-1 at 20s to 0%",
        "slow gpu-1 at 20s to 100%",
        "restart gpu-1 at 20s for 5s",
        "stall gpu-1 at soon",
        "stall gpu-1 at 20s for ever",
        "kill gpu-1 at -3s",
    ],
)
def test_fault_that_is_not_understood(text: str) -> None:
    """What means nothing is refused, and the error names it."""
    with pytest.raises(PlanError) as caught:
        parse_fault(text)
    assert str(caught.value)


def test_grammar_is_shown() -> None:
    """Who writes it wrongly is told how it is written."""
    with pytest.raises(PlanError, match="stall ENDPOINT at TIME"):
        parse_fault("explode gpu-1")


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("gpu-1", "gpu-1:11434"),
        ("gpu-1:11434", "gpu-1:11434"),
        ("http://gpu-2:11434/", "gpu-2:11434"),
        ("gpu-2:11435", "gpu-2:11435"),
        ("second", "gpu-2:11434"),
        ("::1", "[::1]:11434"),
    ],
)
def test_resolve(name: str, endpoint: str) -> None:
    """An endpoint is known by its address, its host and port, its host, or a name given to it."""
    fault = parse_fault(f"kill {name} at 1s")
    (found,) = resolve([fault], ENDPOINTS, names={"second": ENDPOINTS[1]})
    assert found.endpoint == endpoint


@pytest.mark.parametrize(
    ("name", "told"), [("gpu-2", "more than one"), ("gpu-3", "no endpoint of this run")]
)
def test_resolve_nobody(name: str, told: str) -> None:
    """A name of two endpoints, or of none, is refused, and those that there are are told."""
    with pytest.raises(PlanError, match=told) as caught:
        resolve([parse_fault(f"kill {name} at 1s")], ENDPOINTS)
    assert "http://gpu-2:11435" in str(caught.value)


def test_steps() -> None:
    """What lasts is undone at its end; all of it by time."""
    faults = ["stall a at 5s for 10s", "kill b at 1s for 5s", "slow a at 2s to 10%"]
    assert [(step.at_s, step.act, step.share) for step in steps(map(parse_fault, faults))] == [
        (1.0, "kill", 1.0),
        (2.0, "slow", 0.1),
        (5.0, "stall", 1.0),
        (6.0, "restart", 1.0),
        (15.0, "go_on", 1.0),
    ]


async def test_cause(autojump_clock: MockClock) -> None:
    """Each step is done at its moment, though a step elsewhere takes long; all are noted."""
    hand, events = Hand(takes_s=3.0), list[Event]()
    faults = [parse_fault(text) for text in ("kill a at 1s", "stall b at 2s for 5s")]
    began = trio.current_time()
    await cause(faults, hand, now_s=clock_from_now(), note=events.append)
    struck = [(at - began, act, who) for at, act, who in hand.struck]
    assert struck == [(1.0, "kill", "a"), (2.0, "stall", "b"), (7.0, "go_on", "b")]
    noted = sorted((event.at_s, event.kind, event.endpoint) for event in events)
    assert noted == [(1.0, "kill", "a"), (2.0, "stall", "b"), (7.0, "go_on", "b")]


async def test_fault_that_fails(autojump_clock: MockClock) -> None:
    """A server that cannot be struck is an event that says why, and the run goes on."""
    events: list[Event] = []
    faults = [parse_fault("slow a at 1s to 10% for 1s")]
    await cause(faults, Hand(fails="slow"), now_s=clock_from_now(), note=events.append)
    assert [event.kind for event in events] == ["fault_failed", "restore"]
    assert events[0].text == "could not be slowed to 0.1 of its speed: it is too strong"


async def test_nothing_stays_done(autojump_clock: MockClock) -> None:
    """A run that ends early undoes what it did, and only that."""
    hand, events = Hand(), list[Event]()
    faults = ["stall a at 1s for 50s", "kill a at 30s for 5s", "slow b at 2s to 1%"]
    with trio.move_on_after(10.0):
        await cause(map(parse_fault, faults), hand, now_s=clock_from_now(), note=events.append)
    assert [(act, who) for _, act, who in hand.struck] == [
        ("stall", "a"),
        ("slow", "b"),
        ("go_on", "a"),
    ]
    assert events[-1].at_s == pytest.approx(10.0)


async def test_fault_cancelled_in_the_middle(autojump_clock: MockClock) -> None:
    """What is under way when the run ends counts as done, and is undone."""
    hand = Hand(takes_s=4.0)
    with trio.move_on_after(2.0):
        await cause(
            [parse_fault("stall a at 1s for 50s")],
            hand,
            now_s=clock_from_now(),
            note=lambda _: None,
        )
    assert [act for _, act, _ in hand.struck] == ["stall", "go_on"]
