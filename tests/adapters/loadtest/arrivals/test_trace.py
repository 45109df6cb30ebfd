"""Recorded traces, sound and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.arrivals.trace import (
    TraceFound,
    TraceRow,
    read_trace,
    survey_trace,
)
from triollama_adapters.loadtest.errors import TraceError

GOOD = '{"timestamp": 1000, "input_length": 600, "output_length": 5, "hash_ids": [0, 7]}'
NEXT = '{"timestamp": 1500.5, "input_length": 10, "output_length": 1, "more": [1, "x"]}'


def _write(folder: Path, *lines: str) -> str:
    path = folder / "trace.jsonl"
    path.write_text("\n".join(lines))
    return str(path)


def test_a_trace(tmp_path: Path) -> None:
    """Times count from the first row on; blank lines and other fields are left alone."""
    path = _write(tmp_path, GOOD, "", "  ", NEXT, "")
    assert list(read_trace(path)) == [
        TraceRow(0, 600, 5, (0, 7)),
        TraceRow(500_500_000, 10, 1, ()),
    ]


def test_a_trace_twice_as_fast(tmp_path: Path) -> None:
    """Half the times, the same lengths; its length holds the last row."""
    path = _write(tmp_path, GOOD, NEXT)
    assert [row.at_ns for row in read_trace(path, speed=2.0)] == [0, 250_250_000]
    assert survey_trace(path, speed=2.0) == TraceFound(2, pytest.approx(0.25075), 610, 6)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("not json", "is not JSON"),
        ('{"timestamp": 2000', "is not JSON"),
        pytest.param('{"x": ' + "[" * 200_000, "is not JSON", id="deep"),
        ("[1, 2]", "Expected `object`"),
        ('{"input_length": 1, "output_length": 1}', "missing required field `timestamp`"),
        ('{"timestamp": 2000, "output_length": 1}', "missing required field `input_length`"),
        ('{"timestamp": 2000, "input_length": 1}', "missing required field `output_length`"),
        ('{"timestamp": "x", "input_length": 1, "output_length": 1}', "Expected `float`"),
        ('{"timestamp": null, "input_length": 1, "output_length": 1}', "Expected `float`"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1}', "is not JSON"),
        ('{"timestamp": 999, "input_length": 1, "output_length": 1}', "sort the trace by time"),
        ('{"timestamp": -1, "input_length": 1, "output_length": 1}', "timestamp -1 is not"),
        ('{"timestamp": 1e300, "input_length": 1, "output_length": 1}', "is not a number of ms"),
        ('{"timestamp": 2000, "input_length": 0, "output_length": 1}', "input_length 0 is not"),
        ('{"timestamp": 2000, "input_length": -4, "output_length": 1}', "input_length -4 is not"),
        ('{"timestamp": 2000, "input_length": 1, "output_length": 0}', "output_length 0 is not"),
        (
            '{"timestamp": 2000, "input_length": 1000000000, "output_length": 1}',
            "1000000000 is not",
        ),
        ('{"timestamp": 2000, "input_length": 1.5, "output_length": 1}', "Expected `int`"),
        (
            '{"timestamp": 2000, "input_length": 512, "output_length": 1, "hash_ids": [1, 2]}',
            "2 hash_ids of 512 tokens each are more than",
        ),
        (
            '{"timestamp": 2000, "input_length": 1, "output_length": 1, "hash_ids": ["a"]}',
            "Expected `int`",
        ),
    ],
)
def test_a_line_that_is_wrong(tmp_path: Path, line: str, what: str) -> None:
    """The error has the file, the line's number, and what is wrong with it."""
    path = _write(tmp_path, GOOD, "", line)
    what = what.replace("a number of ms", "a number of milliseconds")
    with pytest.raises(TraceError) as caught:
        survey_trace(path)
    assert what in str(caught.value)
    assert f"{path}, line 3: " in str(caught.value)
    assert (caught.value.path, caught.value.line) == (path, 3)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """They are not JSON."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(GOOD.encode() + b"\n\xff\xfe\x00\n")
    with pytest.raises(TraceError, match="line 2: is not JSON"):
        survey_trace(str(path))


def test_a_file_that_is_no_trace(tmp_path: Path) -> None:
    """Missing, a directory, or empty."""
    with pytest.raises(TraceError, match=r"missing\.jsonl cannot be read: No such file"):
        survey_trace(str(tmp_path / "missing.jsonl"))
    with pytest.raises(TraceError, match="cannot be read: Is a directory"):
        survey_trace(str(tmp_path))
    with pytest.raises(TraceError, match="is empty"):
        survey_trace(_write(tmp_path, "", " "))


@given(st.binary(max_size=60))
def test_any_line_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, line: bytes) -> None:
    """Nothing but a `TraceError` comes out of a file."""
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(line)
    try:
        survey_trace(str(path))
    except TraceError as error:
        assert "\n" not in str(error)  # noqa: PT017
