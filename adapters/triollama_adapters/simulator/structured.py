"""Answers that are no prose: JSON that satisfies a schema, and calls of tools.

Owns a simple generator: it takes the first alternative where there are several, gives each object
its properties in order, and draws the rest from bytes that are a function of the prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .encoding import encode_json
from .template import Message
from .vocabulary import Kind, Piece, piece

__all__ = ["call_pieces", "is_format", "json_pieces", "wanted_tools"]

_DEPTH_MAX = 16
"""Nesting that is followed; deeper, a schema that refers to itself gets null."""
_ITEMS_MAX = 100
"""Items of an array, whatever minItems says."""
_CHARACTERS_MAX = 1000
"""Characters of a text, whatever minLength says."""
_NODES_MAX = 10_000
"""Values in one answer: a schema that doubles at each level must not take the memory."""
_TOKEN = re.compile(r".{1,4}", re.DOTALL)
_WORDS = ("amber", "birch", "<cedar>", "dune", "ember & ash", "fjord", "grove 🌲", "汉字")
_ANY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "score": {"type": "integer"}},
}


def is_format(value: Any) -> bool:
    """Whether ``format`` is one that Ollama takes: none, ``"json"``, or a schema as an object."""
    return value in (None, "", "json") or isinstance(value, dict)


def json_pieces(wanted: Any, draw: Iterator[int]) -> Iterator[Piece]:
    """Yield the tokens of a JSON text for a format."""
    schema = _ANY_SCHEMA if wanted == "json" else wanted
    text = json.dumps(_Maker(schema, draw).make(schema, 0), ensure_ascii=False)
    for match in _TOKEN.finditer(text):
        yield piece(match.group())


class _Maker:
    """Makes values for one schema."""

    def __init__(self, root: Mapping[str, Any], draw: Iterator[int]) -> None:
        self._root = root
        self._draw = draw
        self._nodes_left = _NODES_MAX

    def make(self, schema: Any, depth: int) -> Any:
        """Make a value for a part of the schema."""
        self._nodes_left -= 1
        if not isinstance(schema, Mapping) or depth > _DEPTH_MAX or self._nodes_left < 0:
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][next(self._draw) % len(schema["enum"])]
        if isinstance(schema.get("$ref"), str):
            return self.make(self._resolve(schema["$ref"]), depth + 1)
        for choice in ("anyOf", "oneOf", "allOf"):
            if schema.get(choice):
                return self.make(schema[choice][0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        return self._of_kind(kind, schema, depth)

    def _of_kind(self, kind: str, schema: Mapping[str, Any], depth: int) -> Any:
        if kind == "object":
            properties = schema.get("properties", {})
            names = [*properties, *(n for n in schema.get("required", ()) if n not in properties)]
            return {name: self.make(properties.get(name, {}), depth + 1) for name in names}
        if kind == "array":
            count = max(int(schema.get("minItems", 1)), min(2, int(schema.get("maxItems", 2))))
            return [
                self.make(schema.get("items", {}), depth + 1) for _ in range(min(count, _ITEMS_MAX))
            ]
        if kind in {"integer", "number"}:
            return self._number(kind, schema)
        if kind == "boolean":
            return next(self._draw) % 2 == 0
        return None if kind == "null" else self._text(schema)

    def _number(self, kind: str, schema: Mapping[str, Any]) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        low += "exclusiveMinimum" in schema
        high = schema.get("maximum", low + 100)
        value = low + next(self._draw) % max(1, int(high - low) + 1)
        return int(value) if kind == "integer" else float(min(value, high))

    def _text(self, schema: Mapping[str, Any]) -> str:
        text = _WORDS[next(self._draw) % len(_WORDS)]
        least = min(int(schema.get("minLength", 0)), _CHARACTERS_MAX)
        text += "." * max(0, least - len(text))
        return text[: int(schema["maxLength"])] if "maxLength" in schema else text

    def _resolve(self, reference: str) -> Any:
        """Follow a reference within the schema, such as ``#/$defs/x``."""
        value: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            value = value.get(part) if isinstance(value, Mapping) and part else value
        return value


def wanted_tools(tools: Sequence[Any], messages: Sequence[Message]) -> list[Mapping[str, Any]]:
    """Choose which tools are called: those that the last message names, if it is the user's.

    That is the whole rule: "use get_weather for Paris" calls ``get_weather``; the same tools with
    another question, or with the tool's result as the last message, give prose.
    """
    if not messages or messages[-1].role != "user":
        return []
    text = messages[-1].content
    functions = [tool.get("function") for tool in tools]
    return [
        function
        for function in functions
        if isinstance(function, Mapping) and str(function.get("name") or "\0") in text
    ]


def call_pieces(functions: Sequence[Mapping[str, Any]], draw: Iterator[int]) -> Iterator[Piece]:
    """Yield one piece for each call; its arguments satisfy the tool's parameters."""
    for index, function in enumerate(functions):
        schema = function.get("parameters") or {"type": "object"}
        made = _Maker(schema, draw).make(schema, 0)
        call = {
            "id": "call_" + bytes(next(draw) for _ in range(4)).hex(),
            "function": {
                "index": index,
                "name": function["name"],
                "arguments": made if isinstance(made, dict) else {},
            },
        }
        # Replaced, because the inside of a string is not what stands on the wire here.
        yield piece("", Kind.TOOL_CALLS)._replace(
            text=json.dumps(call), encoded=encode_json([call])
        )
