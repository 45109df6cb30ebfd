"""Functions as tools, told to the model as the official client tells them.

That is less than `triollama.tool` tells: of each argument its type and what the docstring says of
it. It is kept to because a model that worked with one schema may call differently with another.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .messages import Tool

__all__ = ["tool_of"]

_ENDS = ("returns:", "yields:", "raises:")
_ARGUMENT = re.compile(r"(?P<name>[^(:]*)(?:\((?P<kind>[^)]*)\))?\s*:?\s*(?P<text>.*)")
_NAMES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def tool_of(function: Callable[..., Any]) -> Tool:
    """What a model is told of a function.

    Args:
        function: typed, with a docstring in Google's style.
    """
    hints = get_type_hints(function)
    summary, told = _docstring(inspect.getdoc(function) or "")
    properties, required = {}, []
    for name in inspect.signature(function).parameters:
        kinds = list(dict.fromkeys(_json_types(hints.get(name, str))))
        if "null" not in kinds:
            required.append(name)  # also where there is a default, which is not told
        shown = ", ".join(kind for kind in kinds if kind != "null")
        properties[name] = {"description": told.get(name, ""), "type": shown}
    schema = {"type": "object", "required": required or None, "properties": properties}
    about = {
        "name": getattr(function, "__name__", type(function).__name__),
        "description": summary,
        "parameters": {name: value for name, value in schema.items() if value is not None},
    }
    return Tool.model_validate({"type": "function", "function": about})


def _json_types(hint: Any) -> Iterator[str]:
    """The names that JSON schemas have for a type; what has none is a string."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        for arm in get_args(hint):
            yield from _json_types(arm)
    elif origin is Literal:
        yield from (_NAMES.get(type(value), "string") for value in get_args(hint)[:1])
    elif hint in _NAMES:
        yield _NAMES[hint]
    else:
        yield _container(origin or hint)


def _container(kind: Any) -> str:
    if not isinstance(kind, type) or issubclass(kind, Enum | str):
        return "string"
    if issubclass(kind, Mapping):
        return "object"
    return "array" if issubclass(kind, Sequence | AbstractSet) and kind is not bytes else "string"


def _docstring(text: str) -> tuple[str, dict[str, str]]:
    """The part before ``Args:``, and what it says of each argument."""
    lines = {"summary": [""], "arguments": [""], "end": [""]}
    section = "summary"
    for line in map(str.strip, text.splitlines()):
        if line.lower().startswith("args:"):
            section = "arguments"
        elif line.lower().startswith(_ENDS):
            section = "end"
        else:
            lines[section].append(line)
    return "\n".join(lines["summary"]).strip(), _arguments(lines["arguments"])


def _arguments(lines: Sequence[str]) -> dict[str, str]:
    """What is said of each argument, over as many lines as it takes."""
    told: dict[str, str] = {}
    last = ""
    for line in filter(None, lines):
        if ":" in line:
            found = _ARGUMENT.match(line)
            assert found is not None, "every part of it may be empty"
            last = found["name"].strip()
            told[last] = found["text"].strip()
        elif last:
            told[last] += f" {line}"
    return told
