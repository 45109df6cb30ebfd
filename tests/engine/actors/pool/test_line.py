"""The line: who comes first, and that it does not grow by those who left."""

from __future__ import annotations

import math
from typing import Any

import pytest

from triollama.actors.pool.line import AGE_S, Line
from triollama.actors.pool.messages import Acquire


@pytest.fixture
def line() -> Line:
    """A line for a hundred requests."""
    return Line(100, 10_000)


def ask(ticket: int, **more: Any) -> Acquire:
    """A request."""
    given = {"deadline_s": math.inf, "asked_s": 0.0} | more
    return Acquire(ticket, "m", **given)


def order(line: Line, now_s: float = 0.0) -> list[int]:
    """The tickets, as they get their turn."""
    served = []
    while line:
        first = next(line.heads(now_s))
        line.serve(first, now_s)
        served.append(first.ticket)
    return served


def test_equal_ones_in_turn(line: Line) -> None:
    """First come, first served."""
    for ticket in range(1, 6):
        line.join(ask(ticket))
    assert order(line) == [1, 2, 3, 4, 5]


def test_priority_goes_first_and_what_has_begun_before_all(line: Line) -> None:
    """Higher levels first; a reader in the middle of an answer waits for nobody."""
    line.join(ask(1))
    line.join(ask(2, priority=10))
    line.join(ask(3, priority=-1))
    line.join(ask(4, has_begun=True))
    assert order(line) == [4, 2, 1, 3]


def test_who_waits_rises(line: Line) -> None:
    """One level per `AGE_S`: one tick before it is not first, one tick after it is."""
    line.join(ask(1, asked_s=0.0))
    line.join(ask(2, asked_s=AGE_S - 1.0, priority=1))
    assert next(line.heads(AGE_S - 0.001)).ticket == 2
    assert next(line.heads(AGE_S + 0.001)).ticket == 1


def test_callers_take_turns(line: Line) -> None:
    """Fifty of one caller do not keep one of another waiting."""
    for ticket in range(1, 51):
        line.join(ask(ticket, caller="greedy"))
    line.join(ask(51, caller="polite"))
    assert order(line).index(51) <= 1


def test_each_class_has_a_first(line: Line) -> None:
    """Who needs another endpoint is not behind those who wait for a busy one."""
    line.join(ask(1, only="a"))
    line.join(ask(2, only="a"))
    line.join(ask(3, only="b"))
    assert [each.ticket for each in line.heads(0.0)] == [1, 3]


def test_deadlines(line: Line) -> None:
    """Those whose time has come leave, at that moment."""
    line.join(ask(1, deadline_s=5.0))
    line.join(ask(2, deadline_s=3.0))
    assert line.next_deadline_s() == 3.0
    assert line.late(2.999) == []
    assert [each.ticket for each in line.late(3.0)] == [2]
    line.leave(1)
    assert line.next_deadline_s() is None


def test_places(line: Line) -> None:
    """How many are before one, by level and arrival."""
    line.join(ask(1))
    line.join(ask(2))
    line.join(ask(3, priority=1))
    assert [line.place_of(ticket) for ticket in (1, 2, 3, 4)] == [1, 2, 0, None]


def test_bytes_are_counted(line: Line) -> None:
    """The bodies of all who wait together."""
    line.join(ask(1, body_bytes=9_000))
    assert not line.has_room(ask(2, body_bytes=1_001))
    assert line.has_room(ask(2, body_bytes=1_000))
    line.leave(1)
    assert line.waiting_bytes == 0


def test_those_who_left_take_no_room(line: Line) -> None:
    """However many join and leave while one waits for long."""
    line.join(ask(1))
    for ticket in range(2, 20_000):
        line.join(ask(ticket, deadline_s=1e9))
        line.leave(ticket)
    held = sum(len(level) for group in line._classes.values() for level in group.levels.values())
    assert held + len(line._deadlines) < 1_000
    assert order(line) == [1]
