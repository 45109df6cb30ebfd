"""An answer that is a JSON object, into fields of its record. No IO.

The names are chosen beforehand, so that each record has the same: what an answer lacks is null,
what it has besides is left out (it stands in ``content``). A field of the input that has a column's
name is written as ``input_<name>``, as with all our fields; a column that has the name of one of
ours is written as ``answer_<name>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import listed
from triollama_adapters.batch.rows import RowError

__all__ = [
    "ALL_COLUMNS",
    "chosen_columns",
    "column_fields",
    "column_keys",
    "json_of",
    "properties_of",
]

ALL_COLUMNS: Final = "*"
"""Stands for all properties of the schema that answers follow."""

_FENCED: Final = re.compile(r"\A```[a-zA-Z]*[ \t]*\r?\n(.*?)\r?\n?```\Z", re.DOTALL)
"""JSON as models like to write it when nothing keeps them from it."""

_decode = msgspec.json.Decoder().decode


def json_of(text: str) -> Any:
    """The value that a text is, also within a Markdown fence.

    Raises:
        ValueError: it is no JSON.
    """
    text = text.strip()
    if (fenced := _FENCED.match(text)) is not None:
        text = fenced[1]
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("it is too deep") from None
    except UnicodeEncodeError:
        raise ValueError("it has half a surrogate pair") from None


def column_fields(
    text: str, columns: Sequence[str], own_keys: frozenset[str]
) -> dict[str, Any] | RowError:
    """The columns of an answer, or why there are none.

    Args:
        text: the answer.
        columns: the keys that are wanted.
        own_keys: the names of our fields.
    """
    try:
        value = json_of(text)
    except ValueError as error:
        return RowError("AnswerNotJson", f"the answer is not JSON: {error}")
    if not isinstance(value, dict):
        return RowError(
            "AnswerNotAnObject", f"the answer is JSON, but no object: a {_KINDS[type(value)]}"
        )
    return {_key(name, own_keys): value.get(name) for name in columns}


_KINDS: Final = {
    list: "list",
    str: "text",
    int: "number",
    float: "number",
    bool: "truth value",
    type(None): "null",
}


def column_keys(columns: Sequence[str], own_keys: frozenset[str]) -> frozenset[str]:
    """The names under which columns are written."""
    return frozenset(_key(name, own_keys) for name in columns)


def chosen_columns(
    columns: Sequence[str], answer_format: str | Mapping[str, Any] | None
) -> tuple[str, ...]:
    """The columns by their names.

    Args:
        columns: names, or `ALL_COLUMNS` alone.
        answer_format: what answers follow.

    Raises:
        ChoiceError: all are wanted and nobody knows them, or one is no name.
    """
    if tuple(columns) == (ALL_COLUMNS,):
        properties = properties_of(answer_format)
        if not properties:
            raise ChoiceError(
                "--columns '*' needs --answer-format with a schema that has properties; "
                "or name the columns"
            )
        return properties
    if "" in columns or len(set(columns)) < len(columns):
        raise ChoiceError(
            f"--columns takes names, each once, separated by commas, not {listed(columns)}"
        )
    return tuple(columns)


def properties_of(answer_format: object) -> tuple[str, ...]:
    """The keys that a schema gives answers; none if it is no schema, or says nothing of them."""
    properties = answer_format.get("properties") if isinstance(answer_format, Mapping) else None
    return tuple(properties) if isinstance(properties, Mapping) else ()


def _key(name: str, own_keys: frozenset[str]) -> str:
    while name in own_keys:
        name = f"answer_{name}"
    return name
