"""Formats, schemas and tools."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "x",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}


def texts(events: list[dict[str, Any]], field: str = "content") -> str:
    """Join one field of a chat's events."""
    return "".join(event["message"].get(field, "") for event in events)


def test_format(bench: Any) -> None:
    """G09: JSON that has what the schema requires."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 3},
            "age": {"type": "integer", "minimum": 18, "maximum": 20},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 3},
            "next": {"$ref": "#/$defs/n"},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "ok": {"type": ["null", "boolean"]},
            "ratio": {"type": "number"},
        },
        "required": ["name", "extra"],
        "$defs": {"n": {"const": 7}},
    }
    text = texts(bench.ask("/api/chat", model="llama3.2", messages=HELLO, format=schema).events)
    value = json.loads(text)
    assert set(value) == {*schema["properties"], "extra"}
    assert len(value["name"]) <= 3
    assert 18 <= value["age"] <= 20
    assert len(value["tags"]) == 3
    assert set(value["tags"]) <= {"a", "b"}
    assert (value["next"], value["maybe"], type(value["ok"])) == (7, None, bool)
    plain = texts(bench.ask("/api/chat", model="qwen3:0.6b", messages=HELLO, format="json").events)
    assert isinstance(json.loads(plain), dict)


@pytest.mark.parametrize("wrong", ["xml", 3, ["json"], True])
def test_wrong_format_is_500_after_the_load(bench: Any, wrong: Any) -> None:
    """Another format is refused only when the model is loaded."""
    call = bench.ask("/api/generate", model="llama3.2", prompt="q", format=wrong)
    assert call.parse().status == 500
    shown = json.dumps(json.dumps(wrong, separators=(",", ":")))
    assert (
        call.json["error"]
        == f'invalid format: {shown}; expected "json" or a valid JSON Schema object'
    )
    assert len(bench.ps) == 1


def test_tools(bench: Any) -> None:
    """G34: a prompt that names a tool gets a whole call of it; its result is answered in prose."""
    ask = [{"role": "user", "content": "use get_weather for Paris"}]
    events = bench.ask("/api/chat", model="llama3.2", messages=ask, tools=[WEATHER]).events
    (call,) = [call for event in events for call in event["message"].get("tool_calls", ())]
    assert list(call) == ["id", "function"]
    assert re.fullmatch("call_[0-9a-f]{8}", call["id"])
    assert list(call["function"]) == ["index", "name", "arguments"]
    assert set(call["function"]["arguments"]) == {"city", "days"}
    assert events[-1]["done_reason"] == "stop"
    whole = bench.ask(
        "/api/chat", model="llama3.2", messages=ask, tools=[WEATHER], stream=False
    ).json
    assert whole["message"]["tool_calls"] == [call]
    answered = [
        *ask,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_name": "get_weather", "content": "rain"},
    ]
    assert texts(
        bench.ask("/api/chat", model="llama3.2", messages=answered, tools=[WEATHER]).events
    )
    assert texts(bench.ask("/api/chat", model="llama3.2", messages=HELLO, tools=[WEATHER]).events)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": "x"},
        {"type": "integer", "minimum": "x"},
        {"enum": {"a": 1}},
        {"anyOf": {"a": 1}},
        {"properties": ["a"]},
    ],
)
def test_schemas_that_are_none(bench: Any, schema: Any) -> None:
    """A schema that makes no sense is an error before the first event, and harms nobody else."""
    call = bench.ask("/api/chat", model="llama3.2", messages=HELLO, format=schema)
    assert (call.status, call.json) == (500, {"error": "invalid JSON schema in format"})
    assert bench.state.in_flight == 0
    assert bench.ask("/api/chat", model="llama3.2", messages=HELLO).status == 200


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "array", "minItems": 10**9, "items": {"type": "string", "minLength": 10**9}},
        {"$ref": "#"},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}},
    ],
)
def test_schemas_without_end(bench: Any, schema: Any) -> None:
    """A schema that asks for everything gets an answer of bounded size."""
    options = {"num_predict": 10}
    call = bench.ask("/api/chat", model="llama3.2", messages=HELLO, format=schema, options=options)
    assert call.events[-1]["done"] is True


@pytest.mark.parametrize("parameters", [{}, {"type": "string"}, {"a": {"b": 1}}, {"enum": [3]}])
def test_arguments_are_an_object(bench: Any, parameters: Any) -> None:
    """Whatever a tool says of its parameters, a call's arguments are an object."""
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    asked = [{"role": "user", "content": "f"}]
    events = bench.ask("/api/chat", model="llama3.2", messages=asked, tools=[tool]).events
    assert isinstance(events[0]["message"]["tool_calls"][0]["function"]["arguments"], dict)


def test_wrong_format_of_a_stream(bench: Any) -> None:
    """The error comes from the stream's worker: another content type, and chunks."""
    for stream, kind in ((True, "application/json"), (False, "application/json; charset=utf-8")):
        call = bench.ask("/api/chat", model="llama3.2", messages=[{}], format=3, stream=stream)
        assert (call.status, call.headers["content-type"]) == (500, kind)
        assert ("transfer-encoding" in call.headers) is stream
