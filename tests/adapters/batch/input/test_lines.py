"""The line splitter: borders of blocks never matter, and long lines cost no memory."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from triollama_adapters.batch.input.lines import LINE_BYTES_MAX, Line, LineSplitter

LIMIT = 8

texts = st.lists(
    st.sampled_from([b"\n", b"a", b"\xff", b"\r", b"12345678", b"123456789", b"\xe2\x80\xa8"])
).map(b"".join)


def split(blocks: list[bytes], limit: int = LIMIT) -> list[Line]:
    """Split some blocks."""
    splitter = LineSplitter(limit)
    lines = [line for block in blocks for line in splitter.feed(block)]
    return lines + splitter.close()


def naive(data: bytes) -> list[Line]:
    """Split in the way that needs the whole input in memory."""
    lines = data.split(b"\n")
    ends = [1] * (len(lines) - 1) + [0]
    return [
        Line(index, line if len(line) <= LIMIT else None, len(line) + end)
        for index, (line, end) in enumerate(zip(lines, ends, strict=True))
        if line or end
    ]


@given(texts, st.lists(st.integers(0, 40)))
def test_any_split_gives_the_lines_of_the_whole(data: bytes, cuts: list[int]) -> None:
    """Whole, byte by byte and in random blocks: the same lines."""
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    blocks = [data[a:b] for a, b in pairwise(borders)]
    assert split([data]) == naive(data)
    assert split(blocks) == naive(data)
    assert split([data[i : i + 1] for i in range(len(data))]) == naive(data)


@given(texts)
def test_sizes_add_up_to_the_input(data: bytes) -> None:
    """The sizes of the lines are the size of the input, so that progress ends at 100 %."""
    assert sum(line.size_bytes for line in split([data])) == len(data)


@pytest.mark.parametrize(("extra", "is_kept"), [(-1, True), (0, True), (1, False)])
def test_limit_is_exact(extra: int, *, is_kept: bool) -> None:
    """A line of the limit is kept, one byte more is not."""
    [line] = split([b"x" * (LINE_BYTES_MAX + extra) + b"\n"], LINE_BYTES_MAX)
    assert (line.content is not None) == is_kept
    assert line.size_bytes == LINE_BYTES_MAX + extra + 1


def test_rest_of_a_long_line_is_not_kept() -> None:
    """A line far over the limit is only counted, and the next one is whole."""
    splitter = LineSplitter(LIMIT)
    for _ in range(1000):
        assert splitter.feed(b"x" * 100) == []
        assert splitter._pieces == []
    assert splitter.feed(b"\nnext\n") == [Line(0, None, 100_001), Line(1, b"next", 5)]


def test_other_line_separators_are_text() -> None:
    """U+2028 and a carriage return do not end a line."""
    assert split(["a\u2028b\rc\n".encode()], 100) == [Line(0, "a\u2028b\rc".encode(), 8)]


@given(texts, st.lists(st.integers(0, 40)))
def test_both_ways_of_splitting_give_the_same_lines(data: bytes, cuts: list[int]) -> None:
    """Blocks that are split quickly where that is possible, and fed where it is not."""
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter, lines = LineSplitter(LIMIT), []
    for a, b in pairwise(borders):
        quick = splitter.split(data[a:b])
        if quick is None:
            lines += splitter.feed(data[a:b])
        else:
            first, contents = quick
            lines += [Line(n, each, len(each) + 1) for n, each in enumerate(contents, first)]
    assert lines + splitter.close() == naive(data)
