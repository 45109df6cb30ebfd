"""The line: who comes first, and that it does not grow by those who left."""

from __future__ import annotations

import itertools
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


def test_callers_who_left_are_forgotten(line: Line) -> None:
    """One who has nothing in line any more takes no room in what is counted of callers."""
    line.join(ask(1, caller="stays"))
    for ticket in range(2, 1_000):
        line.join(ask(ticket, caller=f"caller {ticket}", priority=ticket % 3))
        line.leave(ticket)
    assert line._counts == {"stays": 1}
    assert list(line._queues) == [(0, "stays")]
    assert order(line) == [1]
    assert not line._counts


# ---- a full line


def full(**asks: tuple[int, ...]) -> Line:
    """A full line of requests by caller, each with its priority."""
    line = Line(sum(map(len, asks.values())), 10_000)
    tickets = itertools.count(1)
    for caller, priorities in asks.items():
        for priority in priorities:
            line.join(ask(next(tickets), caller=caller, priority=priority))
    return line


def gives_way(line: Line, caller: str, **more: Any) -> int | None:
    """The ticket that leaves for one more request, if any does."""
    leaves = line.who_gives_way(ask(99, caller=caller, **more))
    return None if leaves is None else leaves.ticket


def test_a_caller_does_not_drive_another_out_by_another_priority() -> None:
    """What it has in line counts in all of them: eight and two, and the eight ask once more."""
    line = full(greedy=(1,) * 8, modest=(0, 0))
    assert gives_way(line, "greedy") is None
    assert gives_way(line, "modest") is None  # all that greedy has is of a higher priority
    assert gives_way(line, "modest", priority=1) == 8


def test_the_one_with_the_most_in_all_priorities_gives_way() -> None:
    """Three and three are more than four; of those, the one that would be served last."""
    assert gives_way(full(six=(-1, -1, -1, 0, 0, 0), four=(0,) * 4), "new") == 3
    assert gives_way(full(six=(0, 0, 0, -1, -1, -1), four=(0,) * 4), "new") == 6
    assert gives_way(full(six=(1, 1, 1, 0, 0, 0), four=(0,) * 4), "new") == 6


def test_nobody_gives_way_to_a_lower_priority() -> None:
    """Nor what has begun to anything, though it counts as what its caller has in line."""
    assert gives_way(full(many=(1,) * 9), "new") is None
    assert gives_way(full(many=(1,) * 9), "new", priority=1) == 9
    line = full(many=(0,))
    for ticket in range(10, 15):
        line.join(ask(ticket, caller="many", has_begun=True))
    assert gives_way(line, "new", priority=10) == 1
    line.leave(1)
    assert gives_way(line, "new", priority=10) is None


@pytest.mark.parametrize(("others", "leaves"), [(1, None), (2, 2), (3, 3)])
def test_one_gives_way_only_to_who_has_two_less(others: int, leaves: int | None) -> None:
    """Else they would drive each other out in turn."""
    assert gives_way(full(other=(0,) * others), "new") == leaves


def test_who_gives_way_makes_room_for_the_bytes_too() -> None:
    """Nobody leaves for a body that does not fit then either."""
    line = Line(2, 100)
    for ticket in (1, 2):
        line.join(ask(ticket, caller="other", body_bytes=50))
    assert gives_way(line, "new", body_bytes=50) == 2
    assert gives_way(line, "new", body_bytes=51) is None
