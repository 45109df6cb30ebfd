"""Forms: classes and schemas as ``format``, and answers as their objects."""

from __future__ import annotations

import builtins
import dataclasses
import pickle
from datetime import date
from enum import Enum
from typing import Annotated, Any, Generic, Literal, Optional, Required, TypedDict, TypeVar

import attrs
import msgspec
import pytest

from triollama import (
    InvalidRequestError,
    JsonSchema,
    MissingExtraError,
    SchemaError,
    StructuredOutputError,
    StructuredTruncatedError,
)
from triollama._schema import grammar_schema
from triollama.structured import JsonReader, form_of, shape_of


class Mood(Enum):
    """An enum."""

    GOOD = "good"
    BAD = "bad"


@attrs.frozen
class Pet:
    """attrs, with a validator."""

    name: str
    age: int = attrs.field(default=0, validator=attrs.validators.ge(0))


@dataclasses.dataclass
class Owner:
    """A dataclass."""

    name: str
    mood: Mood
    pets: list[Pet] = dataclasses.field(default_factory=list)
    since: date | None = None


class Street(msgspec.Struct, rename="camel"):
    """A struct, renamed."""

    house_number: Annotated[int, msgspec.Meta(ge=1)]
    owners: list[Owner]
    side: Literal["left", "right"] = "left"
    best_pet: Optional[Pet] = None  # noqa: UP045 - both spellings are met


class Note(TypedDict):
    """A dict with names."""

    text: str


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Pet, '{"name": "Rex", "age": 3}', Pet("Rex", 3)),
        (Owner, '{"name": "A", "mood": "bad", "pets": [{"name": "B"}], "since": "2026-01-02"}',
         Owner("A", Mood.BAD, [Pet("B")], date(2026, 1, 2))),
        (Street, '{"houseNumber": 7, "owners": [], "bestPet": {"name": "C"}}',
         Street(7, [], "left", Pet("C"))),
        (Note, '{"text": "x"}', {"text": "x"}),
        (list[Pet], '[{"name": "D"}]', [Pet("D")]),
        (Pet, '```json\n{"name": "Rex"}\n```\n', Pet("Rex")),
        (Mood, ' "good" ', Mood.GOOD),
    ],
)  # fmt: skip
def test_an_answer_becomes_an_object(kind: Any, text: str, value: Any) -> None:
    """Of each kind of class, nested."""
    assert form_of(kind).read(text) == value


@pytest.mark.parametrize(
    ("text", "message", "reason"),
    [
        ('{"name": 3}', "the answer does not fit Pet: Expected `str`, got `int`, at $.name",
         "Expected `str`, got `int` - at `$.name`"),
        ("{}", "the answer does not fit Pet: Object missing required field `name`",
         "Object missing required field `name`"),
        ('{"name": "s3cret", "age": -7}', "the answer does not fit Pet: a value is not allowed",
         "'age' must be >= 0: -7"),
        ("Sure! Here: s3cret", "the answer is not JSON", "it is not valid JSON: "),
        ('{"name": "s3cret', "the answer is not JSON", "it is not valid JSON: "),
        ("  ", "the answer is empty", "it is not valid JSON: "),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_told_without_its_text(
    text: str, message: str, reason: str
) -> None:
    """The message is for logs; reason and text are attributes, also after pickling."""
    with pytest.raises(StructuredOutputError) as caught:
        form_of(Pet).read(text, attempts=2)
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == f"{message} (2 attempts)"
    assert error.reason.startswith(reason)
    assert (error.text, error.attempts) == (text, 2)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("text", ["[" * 50_000, "[" * 50_000 + "]" * 50_000])
def test_an_answer_that_is_too_deep_is_refused(text: str) -> None:
    """Typed, like any other that cannot be read."""
    with pytest.raises(StructuredOutputError, match="the answer is not JSON"):
        form_of(JsonSchema({"type": "array"})).read(text)


def test_an_answer_that_was_cut_is_told_apart() -> None:
    """Its end reason says so; a whole answer of full length is fine."""
    with pytest.raises(StructuredTruncatedError, match="num_predict or num_ctx is too small"):
        form_of(Pet).read('{"name": "Re', "length")
    assert form_of(Pet).read('{"name": "Rex"}', "length") == Pet("Rex")


def test_a_schema_is_checked() -> None:
    """Several violations at once, with their places and without values."""
    schema = JsonSchema(
        {"type": "object", "required": ["b"], "title": "Thing",
         "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/n"}}},
         "$defs": {"n": {"type": "integer", "minimum": 3}}}
    )  # fmt: skip
    form = form_of(schema)
    assert form.schema["properties"]["a"]["items"] == {"type": "integer", "minimum": 3}
    assert form.read('{"a": [3], "b": null}') == {"a": [3], "b": None}
    with pytest.raises(StructuredOutputError) as caught:
        form.read('{"a": [5, 1], "s3cret": "s3cret"}')
    assert "at `$.a[1]`" in caught.value.reason
    assert "required property" in caught.value.reason
    assert "s3cret" not in caught.value.reason + str(caught.value)


def test_a_schema_with_other_references_is_sent_as_it_is() -> None:
    """And checked here all the same."""
    schema = {"definitions": {"n": {"type": "integer"}}, "$ref": "#/definitions/n"}
    assert form_of(JsonSchema(schema)).schema == schema
    assert form_of(JsonSchema(schema)).read("3") == 3


@pytest.mark.parametrize(
    "schema",
    [{"type": "nothing"}, {"$ref": "http://127.0.0.1:9/x.json"}, {"$ref": "#/$defs/lost"}],
)
def test_a_schema_that_is_not_valid_is_refused(schema: dict[str, Any]) -> None:
    """References to elsewhere included: nothing is fetched."""
    with pytest.raises(SchemaError, match="JsonSchema: the schema is not valid"):
        form_of(JsonSchema(schema))


def test_what_is_no_format_is_refused() -> None:
    """A value, a class that JSON knows nothing of, a schema that is none."""
    for wrong in (3, [Pet], Pet("x")):
        with pytest.raises(InvalidRequestError, match='format must be "json", a mapping'):
            form_of(wrong)
    with pytest.raises(SchemaError, match="format: Plain cannot be a JSON schema"):
        form_of(type("Plain", (), {"__annotations__": {"a": int}}))
    with pytest.raises(InvalidRequestError, match="JsonSchema takes a mapping, not type"):
        JsonSchema(Pet)  # type: ignore[arg-type]


def test_without_its_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typed error that says what to install."""
    load = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "jsonschema_rs":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"triollama\[schema\]"):
        form_of(JsonSchema({"type": "object"}))


def test_shapes_follow_fields_items_and_values() -> None:
    """By the names that stand in JSON."""
    street = shape_of(Street)
    assert street.child("houseNumber").convert(4) == 4
    assert street.child("owners").child(None).child("mood").convert("bad") is Mood.BAD
    assert street.child("bestPet").convert({"name": "x"}) == Pet("x")
    assert street.child("nothing").convert([1]) == [1]
    assert shape_of(dict[str, Pet]).child("any").convert({"name": "x"}) == Pet("x")
    assert shape_of(tuple[Pet, ...]).child(None).convert({"name": "x"}) == Pet("x")
    assert shape_of(Note).child("text").convert(5) == 5, "what does not fit stays as it is"


Item = TypeVar("Item")


@attrs.frozen
class Page(Generic[Item]):
    """A generic class."""

    first: Item
    others: list[Item]


class Note(TypedDict, total=False):
    """Not all of it must be there."""

    title: Required[str]
    pets: Required[list[Pet]]
    counts: dict[int, str]


@pytest.mark.parametrize(
    ("kind", "text", "whole"),
    [
        (Page[Pet], '{"first": {"name": "a"}, "others": [{"name": "b"}]', [Pet("a"), [Pet("b")]]),
        (
            Note,
            '{"title": "t", "pets": [{"name": "a"}], "counts": {"1": "x"}',
            ["t", [Pet("a")], {1: "x"}],
        ),
    ],
)
def test_parts_are_of_their_fields_types(kind: Any, text: str, whole: list[Any]) -> None:
    """Of generic classes, of typed dicts with marks, and by keys that are no texts."""
    reader = JsonReader(shape_of(kind))
    for character in text:
        reader.feed(character)
    assert list(reader.value.values()) == whole
    reader.feed("}")
    assert reader.value == form_of(kind).read(text + "}")


def test_definitions_that_are_met_within_each_other() -> None:
    """One that refers to itself only within another one is defined as well."""
    refs = {name: {"$ref": f"#/$defs/{name}"} for name in "xyz"}
    defs = {
        "z": {"properties": {"x": refs["x"], "y": refs["y"]}},
        "x": {"properties": {"x": refs["x"], "y": refs["y"]}},
        "y": {"properties": {"z": refs["z"]}},
    }
    made = grammar_schema({**refs["z"], "$defs": defs}, "format")
    assert sorted(made["$defs"]) == ["x", "y", "z"]


def test_plain_values_of_a_schema_stay_as_they_are() -> None:
    """A constant may have keys that are keywords elsewhere, and a property their names."""
    schema = {
        "properties": {"const": {"const": {"title": 1, "$ref": "#/x"}}, "title": {"enum": [{}]}},
        "patternProperties": {"title": {"type": "string", "title": "T"}},
    }
    assert grammar_schema(schema, "format") == {
        "properties": {"const": {"const": {"title": 1, "$ref": "#/x"}}, "title": {"enum": [{}]}},
        "patternProperties": {"title": {"type": "string"}},
    }


def test_a_class_that_cannot_be_found_is_named() -> None:
    """As one of a function's body is, whose annotations are texts."""

    @dataclasses.dataclass
    class House:
        owner: "Missing"  # type: ignore[name-defined]  # noqa: F821, UP037

    with pytest.raises(SchemaError, match="names 'Missing', which its module does not have"):
        form_of(House)
