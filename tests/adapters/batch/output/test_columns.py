"""Answers that are JSON objects, into fields of their records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.adapters.batch.work.answers import ASK, Scripted

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import fields_of
from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.making import entry_of
from triollama_adapters.batch.output.columns import chosen_columns, column_fields, json_of
from triollama_adapters.batch.output.openai_records import OpenAIRecords
from triollama_adapters.batch.output.records import RECORD_KEYS
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Row, RowError

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}


def test_missing_keys_are_null_and_others_left_out() -> None:
    """So that each record has the same fields."""
    text = '{"name": "Ada", "born": 1815}'
    assert column_fields(text, ("name", "age"), RECORD_KEYS) == {"name": "Ada", "age": None}


def test_a_column_with_one_of_our_names_gets_another() -> None:
    """Ours always mean what the documentation says."""
    text = '{"content": 1, "answer_usage": 2, "usage": 3}'
    found = column_fields(text, ("content", "usage"), RECORD_KEYS)
    assert found == {"answer_content": 1, "answer_usage": 3}


@pytest.mark.parametrize(
    "text", ['{"a": 1}', ' \n{"a": 1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}```']
)
def test_json_may_stand_in_a_fence(text: str) -> None:
    """As models like to write it."""
    assert json_of(text) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "AnswerNotJson"),
        ('{"a": ', "AnswerNotJson"),
        ("Sure! {}", "AnswerNotJson"),
        ("[" * 100_000, "AnswerNotJson"),
        ('{"a": "\\ud800"}', "AnswerNotJson"),
        ("[1]", "AnswerNotAnObject"),
        ("null", "AnswerNotAnObject"),
        ("3.5", "AnswerNotAnObject"),
    ],
)
def test_what_is_no_object_is_an_error(text: str, kind: str) -> None:
    """One that says what it is, and not what it says."""
    found = column_fields(text, ("a",), RECORD_KEYS)
    assert isinstance(found, RowError)
    assert found.kind == kind
    assert "Sure" not in found.message


def test_all_columns_of_a_schema() -> None:
    """In its order; without one they must be named."""
    assert chosen_columns(["*"], SCHEMA) == ("name", "age")
    assert chosen_columns(["age"], SCHEMA) == ("age",)
    assert chosen_columns([], "json") == ()
    for columns, schema in (["*"], "json"), (["*"], {}), (["a", "a"], SCHEMA), ([""], SCHEMA):
        with pytest.raises(ChoiceError, match="--columns"):
            chosen_columns(columns, schema)


async def record_of(text: str, **settings: Any) -> Any:
    """The record of an answer of that text."""
    recipe = Recipe(input="x", answer_format=SCHEMA, columns=("*",), **settings)
    asked = await recipe.treatment().around(Scripted([text])).ask(ASK)
    line = b'{"name": "their own", "id": 1}'
    fields = fields_of(line, len(line))
    row = Row(3, bytes(16), "line 4", 10, ASK, None, fields)
    entry = entry_of(recipe.records(Format.OPENAI), row, asked)
    return json.loads(entry.record), entry.error_kind


async def test_columns_are_fields_of_the_record() -> None:
    """The input's of the same name keeps its value under another."""
    record, _ = await record_of('{"age": 36, "name": "Ada"}')
    assert (record["name"], record["age"], record["input_name"]) == ("Ada", 36, "their own")
    assert record["content"] == '{"age": 36, "name": "Ada"}'
    record, _ = await record_of('{"age": 36}', select=("id", "name", "input_name"))
    assert record == {"index": 3, "id": 1, "name": None, "input_name": "their own"}


async def test_an_answer_without_columns_is_kept_in_the_error() -> None:
    """It may be of use all the same."""
    record, kind = await record_of("Sure! Ada.")
    assert kind == "AnswerNotJson"
    assert record["usage"]["output_tokens"] == 3
    assert record["error"]["partial"] == {"content": "Sure! Ada."}


def test_what_is_asked_has_the_format() -> None:
    """It is stored with the batch; without columns OpenAI's lines stay what they are."""
    recipe = Recipe(input="x", answer_format=SCHEMA)
    assert recipe.wanted().plan.shared("chat")["format"] == SCHEMA
    assert recipe.settings()["answer_format"] == SCHEMA
    assert isinstance(recipe.records(Format.OPENAI), OpenAIRecords)
