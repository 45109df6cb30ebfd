"""Who is given which row: shares, blocks, lost workers, and rows that kill them."""

from __future__ import annotations

import random

import pytest

from triollama_adapters.ray.board import LOSSES_MAX, Board, Held, company_max


def board_of(rows: int, *workers: str, rows_max: int = 16) -> tuple[Board, list[Held]]:
    """A board with so many rows and these workers."""
    board = Board(rows_max)
    for name in workers:
        board.join(name)
    return board, [board.add(b"%d" % number) for number in range(rows)]


def test_shares_follow_the_workers() -> None:
    """Each may hold its part of all rows; who comes later gets its part, too."""
    board, rows = board_of(40, "a", "b")
    assert board.take("a", 100, 1_000) == rows[:8]
    assert board.take("a", 100, 1_000) == []
    board.join("c")
    assert board.share == 6
    assert board.take("b", 100, 1_000) == rows[8:14]
    assert board.done("a", rows[0].ticket) is rows[0]
    assert board.take("a", 100, 1_000) == []  # it still has more than its share
    board.leave("b", is_its_fault=False)
    board.leave("c", is_its_fault=False)
    assert board.share == 16
    assert board.take("a", 100, 1_000) == rows[8:17]


def test_a_block_is_bounded() -> None:
    """By count, and by bytes, but one row goes in any case."""
    board, rows = board_of(10, "a")
    assert board.take("a", 3, 1_000) == rows[:3]
    assert board.take("a", 9, 2) == rows[3:5]
    assert board.take("a", 9, 0) == rows[5:6]


def test_a_machine_dies() -> None:
    """Its rows go to another before all others, in their order, and are under no suspicion."""
    board, rows = board_of(12, "a", "b")
    board.take("a", 4, 1_000)
    board.take("b", 4, 1_000)
    assert board.leave("a", is_its_fault=False) == []
    assert board.take("b", 100, 1_000) == [*rows[:4], *rows[8:]]
    assert {row.deaths for row in rows} == {0}
    assert {row.losses for row in rows[:4]} == {1}


def test_an_outcome_of_a_worker_that_was_lost_counts_no_more() -> None:
    """Nor one of a row that somebody else has."""
    board, rows = board_of(1, "a", "b")
    board.take("a", 1, 10)
    board.leave("a", is_its_fault=False)
    assert board.done("a", rows[0].ticket) is None
    board.take("b", 1, 10)
    assert board.done("a", rows[0].ticket) is None
    assert board.done("b", rows[0].ticket) is rows[0]
    assert board.done("b", rows[0].ticket) is None


def test_nobody_wants_a_row() -> None:
    """One that waits is forgotten; of one that was given out, its worker is to be told."""
    board, rows = board_of(3, "a")
    board.take("a", 1, 10)
    assert board.drop(rows[0]) == "a"
    assert board.drop(rows[1]) is None
    assert board.take("a", 9, 100) == rows[2:]
    board.leave("a", is_its_fault=True)
    assert board.drop(rows[2]) is None
    board.join("b")
    assert board.take("b", 9, 100) == []


def test_suspects_are_apart() -> None:
    """Only a worker without other rows gets them, and no other rows come to them."""
    board, rows = board_of(30, "a", "b")
    board.take("a", 8, 1_000)
    board.take("b", 8, 1_000)
    board.leave("a", is_its_fault=True)
    assert board.take("b", 99, 1_000) == []  # it is to become free
    board.join("c")
    assert board.take("c", 99, 1_000) == rows[:2]  # a quarter of its share
    for row in rows[8:16]:
        board.done("b", row.ticket)
    assert board.take("b", 99, 1_000) == rows[2:4]
    assert board.done("b", rows[2].ticket) is not None
    assert board.take("b", 99, 1_000) == rows[4:5]


@pytest.mark.parametrize("seed", range(20))
def test_a_row_that_kills_workers_is_given_up_and_no_other(seed: int) -> None:
    """Whatever the course: all others are answered, and few workers die."""
    draw = random.Random(seed)
    board, rows = board_of(300, rows_max=64)
    poison = {row.ticket for row in draw.sample(rows, 3)}
    names = iter(range(10_000))
    workers = {next(names): {} for _ in range(3)}
    for name in workers:
        board.join(f"{name}")
    answered: set[int] = set()
    given_up: list[Held] = []
    deaths = 0
    while len(answered) + len(given_up) < 300:
        name = draw.choice(list(workers))
        held = workers[name]
        held |= {row.ticket: row for row in board.take(f"{name}", draw.randint(1, 40), 10_000)}
        if held and draw.random() < 0.7:
            ticket = draw.choice(list(held))
            if ticket in poison:
                deaths += 1
                given_up += board.leave(f"{name}", is_its_fault=True)
                del workers[name]
                workers[next(names)] = {}
                board.join(f"{max(workers)}")
            else:
                assert board.done(f"{name}", ticket) is held.pop(ticket)
                answered.add(ticket)
    assert {row.ticket for row in given_up} == poison
    assert deaths <= 3 * 5


def test_a_lonely_row_has_a_second_chance() -> None:
    """One death says little."""
    board, rows = board_of(1, "a", "b", "c")
    board.take("a", 1, 10)
    assert board.leave("a", is_its_fault=True) == []
    assert board.take("b", 1, 10) == rows
    assert board.leave("b", is_its_fault=True) == rows


def test_nothing_is_tried_for_ever() -> None:
    """Not even on machines that come and go."""
    board, rows = board_of(1)
    for number in range(LOSSES_MAX - 1):
        board.join(f"{number}")
        assert board.take(f"{number}", 1, 10) == rows
        assert board.leave(f"{number}", is_its_fault=False) == []
    board.join("last")
    board.take("last", 1, 10)
    assert board.leave("last", is_its_fault=False) == rows


def test_company_shrinks_to_one() -> None:
    """By a factor of four for each death."""
    assert [company_max(deaths, 100) for deaths in range(5)] == [100, 25, 6, 1, 1]


def test_rows_go_where_their_model_is() -> None:
    """In their order; a model that nobody has is for whoever says so."""
    board = Board(12)
    board.join("a", frozenset({"x"}))
    board.join("b", frozenset({"y"}))
    rows = [board.add(b"", model) for model in ("x", "y", "x", "z", "y")]
    assert board.take("a", 9, 9) == [rows[0], rows[2], rows[3]]
    assert board.take("b", 9, 9) == [rows[1], rows[4]]
    board.leave("a", is_its_fault=True)
    assert board.take("b", 9, 9) == []  # it has others than suspects
    for row in (rows[1], rows[4]):
        board.done("b", row.ticket)
    assert board.take("b", 9, 9) == [rows[0], rows[2], rows[3]]  # nobody has x now


def test_a_worker_gets_what_it_can_use() -> None:
    """Once that is known; never more than its share."""
    board, rows = board_of(40, "a", "b")
    board.set_room("a", 3)
    assert board.take("a", 99, 99) == rows[:3]
    board.set_room("a", 30)
    assert board.take("a", 99, 99) == rows[3:8]
    board.set_room("nobody", 3)
