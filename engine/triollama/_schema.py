"""JSON schemas of Python types, in the forms that Ollama makes something of.

Two of its parts read schemas, and each reads less than the standard has:

* Tools: a property keeps ``anyOf``, ``type``, ``items``, ``description``, ``enum``, ``properties``
  and ``required``; everything else is dropped before the prompt is made. What would be lost is
  therefore said in the description.
* ``format``: llama.cpp turns the schema into a grammar. It follows ``$ref`` depending on the order
  of ``$defs`` (ollama issue 8444), and where a pattern or a long repetition cannot be made into a
  grammar, the answer is not constrained at all (issue 8063). Such keywords are left out of what is
  sent; they are checked here, when the answer is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from triollama._errors import CallerError

__all__ = ["SchemaError", "grammar_schema", "plain_reason", "property_schema", "schema_of"]

NODES_MAX: Final = 10_000
"""Parts of one schema once its references are written out; more would be megabytes of prompt."""

REPEATS_MAX: Final = 1_000
"""Characters or items that a grammar can count: llama.cpp refuses repetitions above 2,000."""

_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples", "required"})
_FOR_PEOPLE = frozenset({"title", "default", "examples", "discriminator", "pattern"})
_PLAIN_REASONS = re.compile(
    r"(Expected `[^`]*`(?: (?:of length )?[<>=]+ [-\d.]+)?(?:, got `[^`]*`)?"
    r"|Object missing required field `\w+`)"
)
_PLACE = re.compile(r" - at `([$.\w\[\]…]*)`")


class SchemaError(CallerError, TypeError):
    """A Python type cannot be said as a JSON schema that Ollama understands.

    The message says which parameter or type, and why.
    """


def schema_of(kind: Any, where: str) -> dict[str, Any]:
    """The JSON schema of a type, with ``$defs``, as msgspec makes it.

    Args:
        kind: attrs, dataclass, msgspec.Struct, TypedDict, enum, Literal, a union, a container, …
        where: what it is the type of, for the error.

    Raises:
        SchemaError: JSON has nothing like it.
    """
    try:
        return msgspec.json.schema(kind)
    except KeyError:  # how msgspec says it
        raise SchemaError(f"{where} has two different types of the same full name") from None
    except NameError as error:
        raise SchemaError(
            f"{where} cannot be a JSON schema: an annotation names {error.name!r}, which its "
            "module does not have; define it at the module's top"
        ) from None
    except (TypeError, ValueError) as error:
        told = str(error).strip().rsplit("\n", 1)[-1]
        raise SchemaError(f"{where} cannot be a JSON schema: {told}") from None


def grammar_schema(schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A schema as it is sent as ``format``: references written out, what breaks grammars left out.

    Only what refers to itself stays a reference.

    Raises:
        SchemaError: a reference leads nowhere, or the schema is too large.
    """
    inliner = _Inliner(schema, where, may_recurse=True)
    made: dict[str, Any] = _without_breakers(inliner.inline(_body(schema), ()))
    defs: dict[str, Any] = {}
    # A definition may come upon another one that refers to itself.
    while rest := [name for name in inliner.recursive if name not in defs]:
        defs |= {name: _without_breakers(inliner.define(name)) for name in rest}
    if defs:
        made["$defs"] = defs
    return made


def property_schema(schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A schema as it is sent for a tool's parameter: what Ollama keeps, the rest said in words.

    Raises:
        SchemaError: it refers to itself, which Ollama's tools cannot say, or it is too large.
    """
    return _kept(_Inliner(schema, where, may_recurse=False).inline(_body(schema), ()))


def plain_reason(text: str) -> str:
    """What is wrong with a value, without anything of the value: for messages and logs.

    Args:
        text: msgspec's message, or that of a class's own validator.
    """
    known = _PLAIN_REASONS.match(text)
    place = _PLACE.search(text)
    told = known[1] if known else "a value is not allowed"
    return f"{told}, at {place[1]}" if place else told


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$defs"}


class _Inliner:
    """Writes out the references of one schema."""

    def __init__(self, root: Mapping[str, Any], where: str, *, may_recurse: bool) -> None:
        self._defs: Mapping[str, Any] = root.get("$defs", {})
        self._where = where
        self._may_recurse = may_recurse
        self._nodes_left = NODES_MAX
        self.recursive: dict[str, None] = {}

    def define(self, name: str) -> Any:
        """One definition, written out but for what refers to itself."""
        return self.inline(self._defs[name], (name,))

    def inline(self, part: Any, inside: tuple[str, ...]) -> Any:
        """A part of the schema with its references written out."""
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise SchemaError(f"{self._where} is too large: more than {NODES_MAX} parts")
        if isinstance(part, list | tuple):
            return [self.inline(each, inside) for each in part]
        if not isinstance(part, Mapping):
            return part
        if isinstance(part.get("$ref"), str):
            return self._follow(part, inside)
        return {key: self._value(key, value, inside) for key, value in part.items()}

    def _value(self, key: str, value: Any, inside: tuple[str, ...]) -> Any:
        """What a keyword has: schemas by name, plain values, or a schema."""
        if key in _BY_NAME and isinstance(value, Mapping):
            return {name: self.inline(each, inside) for name, each in value.items()}
        if key in _VALUES:
            self._nodes_left -= len(value) if isinstance(value, list | tuple) else 1
            return value
        return self.inline(value, inside)

    def _follow(self, part: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
        name = part["$ref"].removeprefix("#/$defs/")
        if name not in self._defs:
            raise SchemaError(f"{self._where} has a $ref that is not in its $defs: {name!r}")
        if name in inside:
            if not self._may_recurse:
                raise SchemaError(
                    f"{self._where}: {name} refers to itself; Ollama's tools have no $ref: "
                    "flatten it, or take JSON text"
                )
            self.recursive[name] = None
            return {"$ref": part["$ref"]}
        beside = {key: value for key, value in part.items() if key != "$ref"}
        found = self.inline(self._defs[name], (*inside, name))
        return {**found, **beside}


def _without_breakers(part: Any) -> Any:
    """Leave out what llama.cpp cannot make a grammar of, and what it does not read."""
    if isinstance(part, list):
        return [_without_breakers(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {
        key: _each_named(key, value)
        for key, value in part.items()
        if key not in _FOR_PEOPLE and not (key in _COUNTS and value > REPEATS_MAX)
    }
    if "prefixItems" in made:
        # llama.cpp looks at ``items`` first, and knows no False; a tuple's length is its items'.
        for key in ("items", "minItems", "maxItems"):
            made.pop(key, None)
    return made


def _each_named(key: str, value: Any) -> Any:
    """What a keyword has, likewise: a property may be called ``pattern``, and a value have it."""
    if key in _VALUES:
        return value
    if key in _BY_NAME and isinstance(value, Mapping):
        return {name: _without_breakers(each) for name, each in value.items()}
    return _without_breakers(value)


_NAMES: Final[dict[type, str]] = {str: "string", int: "integer", bool: "boolean"}
_PHRASES: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "format": "format {}",
    "contentEncoding": "encoded in {}",
}


def _kept(part: Mapping[str, Any]) -> dict[str, Any]:
    """What Ollama keeps of a property, the rest in its description."""
    made: dict[str, Any] = {}
    choices = part.get("anyOf") or part.get("oneOf")
    if choices:
        made["anyOf"] = [_kept(choice) for choice in choices]
    if "type" in part:
        made["type"] = part["type"]
    items = part.get("items")
    if part.get("prefixItems"):
        made["items"] = {"anyOf": [_kept(each) for each in part["prefixItems"]]}
    elif isinstance(items, Mapping) and items:
        made["items"] = _kept(items)
    if told := _told(part):
        made["description"] = told
    enum = part.get("enum") or ([part["const"]] if "const" in part else None)
    if enum:
        made["enum"] = list(enum)
        kinds = {type(each) for each in enum}
        if "type" not in made and len(kinds) == 1 and kinds <= set(_NAMES):
            made["type"] = _NAMES[kinds.pop()]
    if "properties" in part:
        made["properties"] = {name: _kept(each) for name, each in part["properties"].items()}
    if part.get("required"):
        made["required"] = list(part["required"])
    return made


def _told(part: Mapping[str, Any]) -> str:
    """A description, with the keywords that Ollama drops."""
    said = [phrase.format(part[key]) for key, phrase in _PHRASES.items() if key in part]
    values = part.get("additionalProperties")
    if isinstance(values, Mapping) and values.get("type"):
        said.append(f"each value is of type {values['type']}")
    if "default" in part and part["default"] is not None:
        said.append(f"default {msgspec.json.encode(part['default']).decode()}")
    text = " ".join(str(part.get("description") or "").split())
    added = f"({'; '.join(said)})" if said else ""
    return " ".join(filter(None, (text, added)))
