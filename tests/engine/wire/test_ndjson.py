"""Lines out of bytes, however the bytes are cut."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triollama._errors import AnswerTooLargeError
from triollama.wire.ndjson import LINE_BYTES_MAX, LineSplitter

# A multiple of the profile's count, so that a nightly profile scales it.
many = settings(max_examples=20 * settings.default.max_examples, deadline=None)


def lines_of(pieces: list[bytes], **options: int) -> list[bytes]:
    """All lines, the unfinished last one included."""
    splitter = LineSplitter(**options)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    rest = splitter.finish()
    return [*lines, rest] if rest else lines


def outcome(pieces: list[bytes], limit: int) -> list[bytes] | str:
    """The lines, or the error."""
    try:
        return lines_of(pieces, line_bytes_max=limit)
    except AnswerTooLargeError as error:
        return str(error)


CASES = [
    (b"", []),
    (b"\n", []),
    (b"\n\n\n", []),
    (b"a", [b"a"]),
    (b"a\n", [b"a"]),
    (b"a\nb", [b"a", b"b"]),
    (b"\na\n\nb\n", [b"a", b"b"]),
    (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    (b"a\r\n", [b"a\r"]),
    ("a\u0085b\u2028c\u2029d\x0be\x0cf\x1cg\rh\n".encode(), None),
]


@pytest.mark.parametrize(("data", "lines"), CASES)
def test_lines_are_cut_whole_and_byte_by_byte(data: bytes, lines: list[bytes] | None) -> None:
    """Only a line feed ends a line; empty lines are left out; the last one may lack its end."""
    expected = [data[:-1]] if lines is None else lines
    assert lines_of([data]) == expected
    assert lines_of([data[i : i + 1] for i in range(len(data))]) == expected


@pytest.mark.parametrize("end", [b"", b"\n", b"\nmore", b"\nmore\n"])
@pytest.mark.parametrize("before", [b"", b"first\n"])
@pytest.mark.parametrize(("over", "is_fine"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("piece_bytes", [1, 7, 1000])
def test_a_line_has_a_limit(
    over: int, *, is_fine: bool, piece_bytes: int, before: bytes, end: bytes
) -> None:
    """Finished or not, first or later, in one piece or many: at the limit it passes, above not."""
    data = before + b"x" * (20 + over) + end
    pieces = [data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)]
    got = outcome(pieces, 20)
    assert isinstance(got, list) is is_fine
    if not is_fine:
        assert got == "a line of the answer is longer than 20 bytes"


def test_the_default_limit_is_above_the_official_clients() -> None:
    """16 MiB pass, one byte more does not, and it is refused before its end comes."""
    piece = b"x" * 65_536
    splitter = LineSplitter()
    for _ in range(LINE_BYTES_MAX // len(piece)):
        assert not splitter.feed(piece)
    with pytest.raises(AnswerTooLargeError):
        splitter.feed(b"x")


@pytest.mark.parametrize("held", [b"", b"h"])
@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a", b"abc", b"a\n", b"ab\n", b"abc\n", b"a\nb", b"a\n\n"]
)
def test_one_line_need_not_be_fed(data: bytes, held: bytes) -> None:
    """Just those bytes that are a line within the limit, if nothing is held before them."""
    splitter = LineSplitter(2)
    splitter.feed(held)
    is_line = data in {b"a\n", b"ab\n"} and not held
    assert splitter.is_line(data) == is_line
    if is_line:
        assert list(splitter.feed(data)) == [data[:-1]]


def test_finish_forgets() -> None:
    """What `finish` gave is not given again."""
    splitter = LineSplitter()
    splitter.feed(b"a\nrest")
    assert splitter.finish() == b"rest"
    assert splitter.finish() == b""
    assert list(splitter.feed(b"b\n")) == [b"b"]


@pytest.mark.parametrize("piece_bytes", [2, 64, 4096])
def test_a_long_line_costs_little_more_than_itself(piece_bytes: int) -> None:
    """Memory stays under four times the input, however small the pieces are."""
    total = 100_000
    splitter = LineSplitter()
    tracemalloc.start()
    try:
        for _ in range(total // piece_bytes):
            splitter.feed(bytes(piece_bytes))
        line = splitter.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(line) == total // piece_bytes * piece_bytes
    assert peak < 4 * total


def test_a_long_line_takes_time_in_proportion() -> None:
    """A line in a hundred thousand pieces is not copied for each of them."""

    def seconds(pieces: int) -> float:
        splitter = LineSplitter()
        started = time.process_time()
        for _ in range(pieces):
            splitter.feed(b"0123456789")
        splitter.finish()
        return time.process_time() - started

    few = min(seconds(10_000) for _ in range(3))
    # Ten times the pieces; copying each time would take a hundred times as long.
    assert seconds(100_000) < 40 * few + 0.02


texts = st.lists(st.sampled_from([b"\n", b"a", b"bc", "\u2028".encode(), b"\r", b'"']), max_size=40)


@many
@given(text=texts, cuts=st.lists(st.integers(0, 80), max_size=6), limit=st.integers(1, 12))
def test_any_split_gives_the_same_lines(text: list[bytes], cuts: list[int], limit: int) -> None:
    """Invariant: whole ≡ byte by byte ≡ any split ≡ `bytes.split`, the limit included."""
    data = b"".join(text)
    expected = [line for line in data.split(b"\n") if line]
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    bytewise = [data[i : i + 1] for i in range(len(data))]
    if any(len(line) > limit for line in expected):
        assert {outcome(each, limit) for each in ([data], pieces, bytewise)} == {
            f"a line of the answer is longer than {limit} bytes"
        }
    else:
        assert outcome([data], limit) == outcome(pieces, limit) == outcome(bytewise, limit)
        assert outcome([data], limit) == expected
