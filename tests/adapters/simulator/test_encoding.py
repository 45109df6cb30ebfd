"""JSON, numbers and times as Go writes them."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.simulator.encoding import (
    Stamps,
    decode_json,
    encode_json,
    float32_texts,
    float_text,
    rfc3339,
)


def test_html_and_line_separators_are_escaped_and_nothing_else() -> None:
    """The five characters that Go escapes are; other text is raw UTF-8."""
    text = "<think>&\u2028\u2029 é😀\u0085"
    told = rb'"\u003cthink\u003e\u0026\u2028\u2029 ' + "é😀\u0085".encode() + b'"'
    assert encode_json(text) == told
    assert json.loads(told) == text


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_survives(text: str) -> None:
    """What is encoded decodes to the same."""
    assert json.loads(encode_json([text])) == [text]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_text_reads_back_as_the_same_float32(value: float) -> None:
    """The shortest form loses nothing, and is never longer than nine digits."""
    (text,) = float32_texts((value,))
    assert struct.pack("f", float(text)) == struct.pack("f", value)
    assert len(text.lower().partition("e")[0].replace(".", "").replace("-", "").strip("0")) <= 9


@pytest.mark.parametrize(
    ("python", "go"),
    [
        ("1e-07", "1e-7"),
        ("1e-06", "0.000001"),
        ("1.5e-05", "0.000015"),
        ("1e+20", "100000000000000000000"),
        ("1e+21", "1e+21"),
        ("0.5", "0.5"),
        ("2.0", "2"),
        ("-1e-05", "-0.00001"),
    ],
)
def test_exponents_as_in_go(python: str, go: str) -> None:
    """Exponents appear below 1e-6 and from 1e21 only."""
    assert float_text(python) == go


@pytest.mark.parametrize(
    ("ns", "offset", "text"),
    [
        (0, None, "1970-01-01T00:00:00Z"),
        (1_500_000_000, None, "1970-01-01T00:00:01.5Z"),
        (1, None, "1970-01-01T00:00:00.000000001Z"),
        (0, -420, "1969-12-31T17:00:00-07:00"),
        (0, 0, "1970-01-01T00:00:00Z"),
        (0, 90, "1970-01-01T01:30:00+01:30"),
    ],
)
def test_times_drop_trailing_zeros(ns: int, offset: int | None, text: str) -> None:
    """A fraction has as many digits as it needs, and none if it is zero."""
    assert rfc3339(ns, offset_minutes=offset) == text


def test_stamps_follow_the_clock() -> None:
    """The remembered text changes with the fraction and with the second."""
    stamps = Stamps(1_790_000_000 * 10**9)
    assert stamps.created_at(0.5) == b"2026-09-21T14:13:20.5Z"
    assert stamps.created_at(0.75) == b"2026-09-21T14:13:20.75Z"
    assert stamps.created_at(1.0) == b"2026-09-21T14:13:21Z"
    assert stamps.date(1.0) == b"Mon, 21 Sep 2026 14:13:21 GMT"


def test_decode_takes_the_first_value_only() -> None:
    """What stands behind the first value is ignored; halves of pairs and bad bytes are replaced."""
    assert decode_json(b' {"a":1} trailing') == {"a": 1}
    assert decode_json(rb'{"a":"\ud83d"}') == {"a": "\ufffd"}
    assert decode_json(rb'"\ud83d\ude00"') == "😀"
    assert decode_json(b'"\xff"') == "\ufffd"


@pytest.mark.parametrize("body", [b"{", b'{"a"', b'{"a":', b'"x', b"[1,"])
def test_decode_tells_of_a_body_cut_short(body: bytes) -> None:
    """A body that ends too early has Go's text for it."""
    with pytest.raises(ValueError, match="unexpected EOF"):
        decode_json(body)


@pytest.mark.parametrize("body", [b"nope", b"NaN", b'{"a":Infinity}', b"{]", b"[" * 100_000])
def test_decode_refuses_what_is_no_json(body: bytes) -> None:
    """Python's own extensions, and nesting without end, are refused too."""
    with pytest.raises(ValueError, match=r"invalid|depth|EOF"):
        decode_json(body)


def test_decode_refuses_nothing() -> None:
    """An empty body has an error of its own."""
    with pytest.raises(EOFError, match="missing request body"):
        decode_json(b" \n")
