"""Schemas of Python types: references written out, what Ollama drops said in words."""

from __future__ import annotations

import dataclasses
import itertools
import json
from enum import Enum
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._schema import (
    NODES_MAX,
    SchemaError,
    grammar_schema,
    plain_reason,
    property_schema,
    schema_of,
)


class Size(Enum):
    """An enum."""

    SMALL = "s"
    LARGE = "l"


@attrs.define
class Point:
    """A point."""

    x: float
    y: float = 0.0


@dataclasses.dataclass
class Box:
    """Nested, with everything."""

    corner: Point
    size: Size
    tags: list[str]
    pair: tuple[int, str]
    code: Annotated[str, msgspec.Meta(pattern=r"^\d+$", max_length=100_000)]
    note: str | None = None
    kind: Literal["a", "b"] = "a"


class Node(msgspec.Struct):
    """Refers to itself."""

    value: int
    children: list[Node] = []


def grammar(kind: Any) -> dict[str, Any]:
    """The schema of a type as it is sent as format."""
    return grammar_schema(schema_of(kind, "format"), "format")


def parameter(kind: Any) -> dict[str, Any]:
    """The schema of a type as a tool's parameter."""
    return property_schema(schema_of(kind, "parameter"), "parameter")


def keys_of(schema: Any) -> set[str]:
    """All keywords of a schema; the names of properties are none."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for key, value in schema.items():
        parts = value.values() if key in {"properties", "$defs"} else [value]
        found |= set().union(*map(keys_of, parts))
    return found


def test_a_format_has_no_references_and_nothing_that_breaks_a_grammar() -> None:
    """Issues 8444 and 8063 of ollama: the order of $defs, patterns, long repetitions."""
    made = grammar(Box)
    assert made["properties"]["corner"] == {
        "type": "object",
        "description": "A point.",
        "properties": {"x": {"type": "number"}, "y": {"type": "number"}},
        "required": ["x"],
    }
    assert made["properties"]["size"] == {"enum": ["l", "s"], "description": "An enum."}
    assert made["properties"]["pair"] == {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
    }
    assert made["properties"]["code"] == {"type": "string"}
    assert made["required"] == ["corner", "size", "tags", "pair", "code"]
    assert not keys_of(made) & {"$ref", "$defs", "pattern", "title", "default"}


def test_a_type_that_refers_to_itself_keeps_its_reference_in_a_format() -> None:
    """A grammar can recurse; a tool's parameter cannot."""
    made = grammar(Node)
    assert made["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert made["$defs"]["Node"]["properties"]["value"] == {"type": "integer"}
    with pytest.raises(SchemaError, match="parameter: Node refers to itself"):
        parameter(Node)


def test_definitions_that_refer_to_each_other_are_all_there() -> None:
    """Each reference that is left leads somewhere."""
    schema = {
        "$ref": "#/$defs/A",
        "$defs": {
            "A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}},
            "B": {
                "type": "object",
                "properties": {"b": {"$ref": "#/$defs/B"}, "c": {"$ref": "#/$defs/C"}},
            },
            "C": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
        },
    }
    made = grammar_schema(schema, "format")
    left = set(json.dumps(made).split('"$ref": "#/$defs/')[1:])
    assert {each.split('"')[0] for each in left} == set(made["$defs"])


def test_a_property_keeps_what_ollama_keeps_and_says_the_rest() -> None:
    """§2.2 of the reference: every other keyword would be lost."""
    kept = {"anyOf", "type", "items", "description", "enum", "properties", "required"}
    assert keys_of(parameter(Box)) <= kept
    bounded = Annotated[int, msgspec.Meta(ge=1, lt=9, description="How many.")]
    assert parameter(bounded) == {
        "type": "integer",
        "description": "How many. (at least 1; less than 9)",
    }
    assert parameter(dict[str, int]) == {
        "type": "object",
        "description": "(each value is of type integer)",
    }
    assert parameter(tuple[int, str])["items"] == {
        "anyOf": [{"type": "integer"}, {"type": "string"}]
    }
    assert parameter(Literal["a", "b"]) == {"enum": ["a", "b"], "type": "string"}
    assert parameter(Literal[1, 2]) == {"enum": [1, 2], "type": "integer"}
    assert parameter(Literal[1, "a"]) == {"enum": [1, "a"]}


def test_a_property_may_be_called_like_a_keyword() -> None:
    """A field named pattern or title is no keyword."""
    made = grammar(msgspec.defstruct("Named", [("pattern", str), ("title", str), ("default", int)]))
    assert list(made["properties"]) == ["pattern", "title", "default"]


def test_what_json_has_not_is_refused() -> None:
    """The error says where, and which type."""
    with pytest.raises(SchemaError, match=r"^parameter 'x' cannot be a JSON schema: .*complex"):
        schema_of(complex | Point, "parameter 'x'")
    with pytest.raises(SchemaError, match="format has a \\$ref that is not in its \\$defs"):
        grammar_schema({"$ref": "#/definitions/x"}, "format")


def test_two_types_of_one_name_are_refused() -> None:
    """A class that was made twice, as tests and notebooks do, cannot be told apart."""
    one = msgspec.defstruct("Twin", [("a", int)])
    other = msgspec.defstruct("Twin", [("one", one)])
    with pytest.raises(SchemaError, match="format has two different types of the same full name"):
        grammar(other)


def test_a_schema_that_doubles_at_each_level_is_refused() -> None:
    """Written out it would take the memory."""
    defs: dict[str, Any] = {"d0": {"type": "integer"}}
    for at in range(1, 40):
        reference = {"$ref": f"#/$defs/d{at - 1}"}
        defs[f"d{at}"] = {"type": "object", "properties": {"a": reference, "b": reference}}
    with pytest.raises(SchemaError, match=f"more than {NODES_MAX} parts"):
        grammar_schema({"$ref": "#/$defs/d39", "$defs": defs}, "format")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Expected `int`, got `str` - at `$.a[0].b`", "Expected `int`, got `str`, at $.a[0].b"),
        ("Object missing required field `x`", "Object missing required field `x`"),
        ("Expected `int` >= 1 - at `$.n`", "Expected `int` >= 1, at $.n"),
        ("Invalid enum value 'secret' - at `$.u`", "a value is not allowed, at $.u"),
        ("'name' must be short: 'secret'", "a value is not allowed"),
    ],
)
def test_a_reason_shows_nothing_of_the_value(text: str, plain: str) -> None:
    """What is wrong and where, for a log."""
    assert plain_reason(text) == plain


NUMBERS = itertools.count()


def made_of(kind: Any) -> type[msgspec.Struct]:
    """A class with such fields."""
    fields = [("a", kind), ("b", kind | None, None)]
    return msgspec.defstruct(f"Made{next(NUMBERS)}", fields)


TYPES = st.recursive(
    st.sampled_from([int, float, str, bool, Size, Point, Literal["a", "b"]]),
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None),
        inner.map(made_of),
    ),
    max_leaves=5,
)


@given(kind=TYPES)
def test_any_type_is_said_in_both_ways(kind: Any) -> None:
    """Both forms are JSON, without references, and the second has only what Ollama keeps."""
    sent, told = grammar(kind), parameter(kind)
    assert json.loads(json.dumps([sent, told])) == [sent, told]
    assert not keys_of(sent) & {"$ref", "$defs", "title"}
    assert keys_of(told) <= {
        "anyOf", "type", "items", "description", "enum", "properties", "required"
    }  # fmt: skip
