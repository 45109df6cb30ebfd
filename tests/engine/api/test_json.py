"""JSON at the edge."""

from __future__ import annotations

import enum
import json
import math
from collections import UserDict, UserList
from typing import Any

import pytest

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api import ChatChunk, ChatRequest
from triollama.api._chunk import unknown_fields
from triollama.api._json import encode_body, is_too_deep, plain_json, veiled


class Text(str):
    """A text of its own type, as template engines make them."""

    __slots__ = ()


class Number(float):
    """A float of its own type, as numpy's."""

    __slots__ = ()


class Count(int):
    """An int of its own type."""

    __slots__ = ()


class Level(enum.IntEnum):
    """A member of an enumeration."""

    ONE = 1


def test_any_mapping_and_sequence_becomes_plain() -> None:
    """And is a copy."""
    given = UserDict({"a": UserList([1, (2.5, None, True)])})
    assert plain_json(given, "x") == {"a": [1, [2.5, None, True]]}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (math.nan, "x holds a number that is NaN"),
        ([{"a": -math.inf}], "x holds a number that is NaN or infinite"),
        ({1: 2}, "x has a key that is not a string"),
        ({"a": {2}}, "x holds a set"),
        (b"s3cret", "x holds a bytes"),
        (bytearray(b"s3cret"), "x holds a bytearray"),
        (range, "x holds a type"),
    ],
)
def test_what_json_cannot_carry_is_refused(value: object, told: str) -> None:
    """The message names what it is in, and its type."""
    with pytest.raises(InvalidRequestError, match=told):
        plain_json(value, "x")


@pytest.mark.parametrize(("levels", "fits"), [(63, True), (64, True), (65, False)])
def test_depth_is_counted_alike_for_requests_and_answers(levels: int, *, fits: bool) -> None:
    """64 levels of lists or objects pass, 65 do not."""
    objects: Any = {}
    lists: Any = []
    for _ in range(levels - 1):
        objects, lists = {"a": objects}, [lists]
    for value in (objects, lists):
        assert is_too_deep(value) is not fits
        if fits:
            assert plain_json(value, "x") == value
        else:
            with pytest.raises(InvalidRequestError, match="x is nested deeper than 64 levels"):
                plain_json(value, "x")


def test_a_value_that_contains_itself_is_refused() -> None:
    """It is endlessly deep."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InvalidRequestError, match="deeper"):
        plain_json(value, "x")


def test_none_is_left_out_of_a_body() -> None:
    """False, 0 and empty values are not."""
    assert encode_body({"a": None, "b": False, "c": 0, "d": [], "e": None}) == (
        b'{"b":false,"c":0,"d":[]}'
    )


def test_subclasses_of_plain_types_are_written_by_value() -> None:
    """Template texts, numpy's floats and enumerations, in every place."""
    request = ChatRequest.make(
        Text("m"),
        [{"role": Text("user"), "content": Text("hi")}],
        options={"temperature": Number(0.5), "seed": Level.ONE, "x": [Text("y")]},
        top_logprobs=Count(1),
    )
    assert json.loads(request.body()) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "options": {"temperature": 0.5, "seed": 1, "x": ["y"]},
        "top_logprobs": 1,
    }


def test_all_text_but_lone_surrogates_is_written() -> None:
    """Line and paragraph separators, NUL and astral characters come back as they were."""
    text = "a\u0085b\u2028c\u2029d\0e😀f</script>"
    assert json.loads(encode_body({"x": text})) == {"x": text}


def test_a_veil_tells_length_and_hash() -> None:
    """Equal texts look equal, others not, and lone surrogates do not matter."""
    assert veiled("abc") == veiled("abc") != veiled("abd")
    assert veiled("abc").startswith("<3 long, #")
    assert veiled("\ud800").startswith("<1 long, #")
    assert veiled(None) == "None"


def test_unknown_fields_that_cannot_be_decoded_are_a_protocol_error() -> None:
    """Skipping an endless nesting is one thing, decoding it another."""
    with pytest.raises(ProtocolError, match="an unknown field is nested too deeply"):
        unknown_fields(ChatChunk, b'{"x":' + b"[" * 100_000)
