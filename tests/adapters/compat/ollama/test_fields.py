"""The types: attributes are items, values are checked, nested mappings become objects."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import ollama as official
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.compat.ollama.cases import TOOL

from triollama_adapters.compat import ollama
from triollama_adapters.compat.ollama.asked import messages_of, options_of, tools_of
from triollama_adapters.compat.ollama.fields import ByteSize

CALL = {"function": {"name": "add", "arguments": {"a": 1, "deep": [{"b": None}]}}}
TEXTS = st.none() | st.text(max_size=20)
MESSAGES = st.fixed_dictionaries(
    {"role": st.text(max_size=9)},
    optional={
        "content": TEXTS,
        "thinking": TEXTS,
        "tool_name": TEXTS,
        "tool_calls": st.none() | st.lists(st.just(CALL), max_size=2),
        "other": st.integers(),
    },
)


@given(MESSAGES)
def test_messages_are_as_the_official_ones(fields: dict[str, Any]) -> None:
    """Dumps, items, membership and what is set, for any message."""
    ours, theirs = ollama.Message(**fields), official.Message(**fields)
    assert ours.model_dump() == theirs.model_dump()
    assert ours.model_dump(exclude_none=True) == theirs.model_dump(exclude_none=True)
    assert json.loads(ours.model_dump_json()) == json.loads(theirs.model_dump_json())
    assert ours.model_fields_set == theirs.model_fields_set  # type: ignore[attr-defined]
    for name in (*fields, "images", "nothing"):
        assert (name in ours) == (name in theirs)
        assert (ours.get(name) is None) == (theirs.get(name) is None)
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert ollama.Message.model_validate_json(ours.model_dump_json()) == ours


def test_items_are_attributes() -> None:
    """Read, written, asked for, missing."""
    message = ollama.Message(role="user")
    assert message["role"] == message.role == message.get("role") == "user"
    assert "content" not in message
    message["content"] = "hello"
    assert ("content" in message, message.content) == (True, "hello")
    message.content = None
    assert message["content"] is None
    with pytest.raises(KeyError):
        message["nothing"]
    with pytest.raises(ValueError, match="no field 'nothing'"):
        message["nothing"] = 1
    assert message.get("nothing", 7) == 7
    assert message == ollama.Message(role="user", content=None)
    assert message != ollama.Options()
    assert "type" in ollama.Tool()
    assert repr(ollama.StatusResponse(status="x")) == "StatusResponse(status='x')"


def test_nested_mappings_become_objects() -> None:
    """At every depth; and back."""
    message = ollama.Message.model_validate({"role": "assistant", "tool_calls": [CALL]})
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.name == "add"
    assert message["tool_calls"][0]["function"]["arguments"]["a"] == 1
    assert ollama.Message.model_validate(message) is message
    changed = message.model_copy(update={"content": "new"})
    assert (changed.content, message.content) == ("new", None)
    assert changed.model_dump(exclude_none=True)["tool_calls"] == [CALL]


def test_times_sizes_and_names() -> None:
    """A time is a datetime, a size is readable, and a field may be called otherwise on the wire."""
    shown = ollama.ShowResponse.model_validate(
        {"model_info": {"a": 1}, "modified_at": "2026-08-01T12:00:00.123456789Z"}
    )
    assert shown.modelinfo == {"a": 1}
    assert shown.modified_at == datetime(2026, 8, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert shown.model_dump(by_alias=True)["model_info"] == {"a": 1}
    assert "2026-08-01T12:00:00.123456Z" in shown.model_dump_json(exclude_none=True, indent=1)
    model = ollama.ListResponse.Model(size=ByteSize(2019393189))
    assert model.size is not None
    assert model.size.human_readable() == "1.9GiB"


@given(st.integers(-(2**70), 2**70), st.booleans())
def test_sizes_are_read_as_pydantics(size: int, decimal: bool) -> None:  # noqa: FBT001 - drawn
    """The same words for any number of bytes."""
    from pydantic import ByteSize as Theirs  # noqa: PLC0415 - for this test

    assert ByteSize(size).human_readable(decimal=decimal) == Theirs(size).human_readable(
        decimal=decimal
    )


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (ollama.Message, "Message.role is required"),
        (lambda: ollama.Message(role=1), "must be str, not int"),
        (lambda: ollama.Message(role="u", images="x"), "must be a list, not str"),
        (lambda: ollama.Message(role="u", tool_calls=[1]), "must be a mapping, not int"),
        (lambda: ollama.Options(num_ctx=1.5), "a whole number"),
        (lambda: ollama.Options(temperature="hot"), "a number"),
        (lambda: ollama.Options(temperature=True), "a number"),
        (lambda: ollama.Options(numa=1), "must be bool"),
        (lambda: ollama.ListResponse(models=[{"modified_at": "yesterday"}]), "a time"),
        (lambda: ollama.ListResponse.model_validate(3), "must be a mapping"),
        (lambda: ollama.Tool(type=3), "must be str"),
        (lambda: ollama.Tool.Function.Parameters(type="array"), "'object'"),
        (lambda: ollama.EmbedResponse(embeddings=[["x"]]), r"embeddings\[0\]\[0\]"),
    ],
)
def test_what_does_not_fit(make: Any, told: str) -> None:
    """Refused by name, and nothing of the value is shown."""
    with pytest.raises(ollama.RequestError, match=told):
        make()


def test_whole_floats_are_numbers() -> None:
    """As JSON has it."""
    assert ollama.Options(num_ctx=64.0).num_ctx == 64
    assert ollama.Options(temperature=1).temperature == 1.0


def test_errors_show_what_the_official_ones_show() -> None:
    """Texts that are JSON are read; the status is shown."""
    for text in ("plain", '{"error": "inner"}', '{"other": 1}', "3", ""):
        theirs = official.ResponseError(text, 404) if text != "3" else None
        ours = ollama.ResponseError(text, 404)
        assert theirs is None or (str(ours), ours.error) == (str(theirs), theirs.error)
    assert ollama.ResponseError("x").status_code == -1


def test_objects_of_the_official_package_are_taken() -> None:
    """For programs in which some part still uses it."""
    called = official.Message.model_validate({"role": "assistant", "tool_calls": [CALL]})
    image = official.Image(value=b"picture")
    message = official.Message(role="user", content="?", images=[image])
    [first, second] = messages_of([called, message])  # type: ignore[list-item]
    assert first == {"role": "assistant", "tool_calls": [CALL]}
    assert second == {"role": "user", "content": "?", "images": ["cGljdHVyZQ=="]}
    tool = official.Tool.model_validate(TOOL)
    assert tools_of([tool]) == [TOOL]  # type: ignore[list-item]
    assert options_of(official.Options(seed=1)) == {"seed": 1}  # type: ignore[arg-type]
