"""The incremental JSON reader: any text, cut anywhere, gives what the whole would give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.structured.reader import DEPTH_MAX, LENGTH_MAX, JsonReader, MalformedError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def read(*pieces: str) -> JsonReader:
    """A reader that has read these."""
    reader = JsonReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def is_part(part: Any, whole: Any) -> bool:
    """Whether everything of the one is in the other, at the same place."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return bool(part == whole)


@given(value=JSON, indent=st.sampled_from([None, 2]), ascii_only=st.booleans(), data=st.data())
def test_any_json_cut_anywhere_gives_parts_and_then_the_whole(
    value: Any, indent: int | None, ascii_only: Any, data: st.DataObject
) -> None:
    """What is complete only grows, is true at each moment, and is everything at the end."""
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    reader, seen = JsonReader(), 0
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        reader.feed(text[start:end])
        assert reader.completed >= seen
        seen = reader.completed
        assert reader.value is None or is_part(reader.value, value)
    reader.feed("\n")
    assert reader.is_whole
    assert reader.value == value


@given(text=st.text(alphabet='{}[]",:\\ \n`0123456789.eE+-truefalsn', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """It never raises anything else, and what it calls whole is JSON."""
    try:
        reader = read(text)
    except MalformedError:
        return
    if reader.is_whole and "`" not in text:
        assert reader.value == json.loads(text)


def test_a_value_is_there_when_it_is_complete() -> None:
    """A text at its quote, a number at what follows it, a container as it fills."""
    reader = JsonReader()
    told = []
    for piece in ('{"a": "x', 'y", "b": 1', '2, "c": [{"d": tr', "ue}", ', {"d"', ": null}]}"):
        reader.feed(piece)
        told.append(reader.value)
    assert told == [
        {},
        {"a": "xy"},
        {"a": "xy", "b": 12},
        {"a": "xy", "b": 12, "c": [{"d": True}]},
        {"a": "xy", "b": 12, "c": [{"d": True}]},
        {"a": "xy", "b": 12, "c": [{"d": True}, {"d": None}]},
    ]
    assert reader.is_whole


def test_what_was_given_does_not_change_afterwards() -> None:
    """Each value is a picture of its moment."""
    reader = read('{"a": [1,')
    before = reader.value
    reader.feed(" 2, 3]}")
    assert (before, reader.value) == ({"a": [1]}, {"a": [1, 2, 3]})


def test_a_fence_of_markdown_is_passed_over() -> None:
    """Models that no grammar holds write one."""
    reader = read("``", "`js", 'on\n{"a"', ": 1}\n``", "`\n")
    assert reader.value == {"a": 1}


@pytest.mark.parametrize(
    "text",
    ["}", "]", "[1 2]", "[1}", '{"a" 1}', "{1: 2}", "[,]", "{,}", '{"a": 1,}', "1 2", "[01]",
     "[tru]", '["\\x"]', '["\n"]', "Sure! {", '{"a": }', "[1,]"],
)  # fmt: skip
def test_what_cannot_become_json_is_refused_at_once(text: str) -> None:
    """Not only at the end."""
    with pytest.raises(MalformedError):
        read(text, "\n")


def test_depth_and_length_are_bounded() -> None:
    """An answer that only opens brackets, or never ends, does not take the memory."""
    read("[" * DEPTH_MAX)
    with pytest.raises(MalformedError, match=f"deeper than {DEPTH_MAX}"):
        read("[" * (DEPTH_MAX + 1))
    with pytest.raises(MalformedError, match="longer than"):
        read('"', *["x" * 65536] * (LENGTH_MAX // 65536))


def test_a_reader_begins_anew() -> None:
    """As an answer does that broke."""
    reader = read('{"a": [1, "x')
    reader.reset()
    reader.feed("[2]")
    assert (reader.value, reader.completed) == ([2], 2)
