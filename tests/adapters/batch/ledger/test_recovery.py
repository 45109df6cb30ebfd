"""The decisions of recovery, the groups as bytes, and the memory of rows: without files."""

import sys
import zlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.ledger.frames import (
    NOTHING,
    DamagedError,
    Frame,
    Mark,
    Span,
    Totals,
    follows,
)
from triollama_adapters.batch.ledger.recovery import Cuts, first_bad, shortened
from triollama_adapters.batch.ledger.standing import PAGE_ROWS, Standing, Standings, short_digest

RECORDS = [b"one\n", b"second\n", b"3\n"]
MARKS = [Mark(n, 1, len(each), zlib.crc32(each), 0, 0, 0) for n, each in enumerate(RECORDS)]

FRAME = Frame(
    id=1,
    answers=Span(0, 6),
    errors=Span(0, 7),
    marks=(
        Mark(5, 11, 4, 1, 0, 10, 20),
        Mark(9, 12, 7, 2, 2, 0, 0),
        Mark(7, 13, 2, 3, 0, 1, 2),
    ),
    kinds=("A", "B"),
    totals=Totals(2, 1, 11, 22, {"B": 1}),
    at_s=1.5,
)


@given(data=st.binary(max_size=20))
def test_the_first_bad_record_is_found(data: bytes) -> None:
    """It is the first whose bytes are not the ones that were written; too short is bad too."""
    at = 0
    for record in RECORDS:
        if data[at : at + len(record)] != record:
            break
        at += len(record)
    else:
        at = -1
    assert first_bad(MARKS, 100, data) == (None if at < 0 else 100 + at)


def test_whole_records_are_good_whatever_follows() -> None:
    """Only what the marks tell of is looked at."""
    assert first_bad(MARKS, 0, b"".join(RECORDS) + b"more") is None
    assert first_bad([], 0, b"") is None


@pytest.mark.parametrize(
    ("cuts", "numbers"),
    [
        (Cuts(6, 7), [5, 9, 7]),
        (Cuts(5, 7), [5, 9]),
        (Cuts(4, 7), [5, 9]),
        (Cuts(3, 7), [9]),
        (Cuts(6, 6), [5, 7]),
        (Cuts(0, 0), []),
    ],
)
def test_a_group_is_shortened_to_what_is_left_of_the_files(cuts: Cuts, numbers: list[int]) -> None:
    """Its rows, spans and sums are those of the whole records before the cuts."""
    frame = shortened(NOTHING, FRAME, cuts)
    assert [mark.number for mark in frame.marks] == numbers
    assert frame.answers == Span(0, min(6, cuts.answers))
    assert frame.errors == Span(0, min(7, cuts.errors))
    assert (frame.totals.done, frame.totals.failed) == (len({5, 7} & {*numbers}), 9 in numbers)
    assert frame.totals.input_tokens == 10 * (5 in numbers) + (7 in numbers)
    assert frame.totals.errors == ({"B": 1} if 9 in numbers else {})


def test_a_group_is_the_same_when_read_again() -> None:
    """Encoding and decoding are inverse."""
    for frame in (FRAME, attrs.evolve(FRAME, marks=(), kinds=(), is_reset=True)):
        assert Frame.decode(frame.encode()) == frame


def test_a_damaged_group_is_never_believed() -> None:
    """Cut at each byte, or with any bit flipped, it raises the one typed error."""
    data = FRAME.encode()
    for at in range(len(data)):
        with pytest.raises(DamagedError):
            Frame.decode(data[:at])
        for bit in range(8):
            with pytest.raises(DamagedError):
                Frame.decode(data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :])
    with pytest.raises(DamagedError):
        Frame.decode(data + b"\0")


def test_a_group_follows_the_one_before() -> None:
    """By its id and by where it begins in both files; after a reset the errors begin at 0."""
    after = Frame(2, Span(6, 8), Span(7, 9), (), (), Totals(), 0.0)
    assert follows(NOTHING, FRAME)
    assert follows(FRAME, after)
    assert not follows(FRAME, attrs.evolve(after, id=3))
    assert not follows(FRAME, attrs.evolve(after, answers=Span(5, 8)))
    assert not follows(FRAME, attrs.evolve(after, errors=Span(0, 0)))
    assert follows(FRAME, attrs.evolve(after, errors=Span(0, 0), is_reset=True))


@given(
    rows=st.dictionaries(
        st.integers(0, 3 * PAGE_ROWS) | st.integers(0, 1 << 40),
        st.tuples(st.integers(1, (1 << 64) - 1), st.booleans()),
        max_size=20,
    )
)
def test_standings_are_a_table_of_rows(rows: dict[int, tuple[int, bool]]) -> None:
    """Each row is what was added for it, its neighbours are new; failed ones can be forgotten."""
    standings = Standings()
    standings.add((number, digest, is_failed) for number, (digest, is_failed) in rows.items())
    for number, (digest, is_failed) in rows.items():
        assert standings.of(number, digest) is (Standing.FAILED if is_failed else Standing.DONE)
        assert standings.of(number, digest ^ 1 or 2) is Standing.CHANGED
        assert standings.has(number + 1) is (number + 1 in rows)
    answered = [number for number, (_, is_failed) in rows.items() if not is_failed]
    assert standings.end == max(rows, default=-1) + 1
    known = standings.without_failed()
    assert known.end == max(answered, default=-1) + 1
    for number, (digest, is_failed) in rows.items():
        assert known.of(number, digest) is (Standing.NEW if is_failed else Standing.DONE)
    standings.forget_failed()
    assert standings.end == max(answered, default=-1) + 1
    for number, (_, is_failed) in rows.items():
        assert standings.has(number) is not is_failed


def test_a_row_that_fails_again_fails_alone() -> None:
    """Neither the pages beside it nor what was forgotten of its own come back with it."""
    standings = Standings()
    for _ in range(2):
        for number in (0, PAGE_ROWS, 2 * PAGE_ROWS):
            standings.note(number, 1, is_failed=number == PAGE_ROWS)
        known = [standings.of(number, 1) for number in (0, PAGE_ROWS, 2 * PAGE_ROWS)]
        assert known == [Standing.DONE, Standing.FAILED, Standing.DONE]
        assert not any(standings.has(number + 1) for number in (0, PAGE_ROWS, 2 * PAGE_ROWS))
        standings.forget_failed()
        assert standings.of(PAGE_ROWS, 1) is Standing.NEW


def test_a_short_digest_is_never_the_unknown_one() -> None:
    """0 stands for a digest that is not known."""
    assert short_digest(bytes(16)) == 1
    assert short_digest(b"\x02" + bytes(15)) == 2


@given(
    first=st.sampled_from([0, 1, 5, PAGE_ROWS - 3, 2 * PAGE_ROWS - 9]),
    count=st.integers(1, 20),
    at=st.integers(0, 19),
)
def test_rows_that_follow_each_other_are_known_together(first: int, count: int, at: int) -> None:
    """Across pages too; not if one of them is new, was another one, or has its outcome since."""
    numbers = range(first, first + count)
    digests = b"".join((number + 1).to_bytes(8, sys.byteorder) for number in numbers)
    standings = Standings()
    assert not standings.are_known(first, digests)
    standings.add((number, number + 1, number % 3 == 0) for number in numbers)
    assert standings.are_known(first, digests)
    assert not standings.are_known(first, digests + bytes(8))
    assert not standings.are_known(first + PAGE_ROWS, digests)
    at %= count
    other = digests[: 8 * at] + b"\xff" * 8 + digests[8 * at + 8 :]
    assert not standings.are_known(first, other)
    standings.forget_failed()
    assert standings.are_known(first, digests) is all(number % 3 for number in numbers)
    noted = Standings()
    noted.note(first, 1, is_failed=False)
    assert not noted.are_known(first, digests[:8])
