"""A function's signature and docstring, as what a model is told and what its arguments must be."""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec

from triollama._schema import SchemaError, property_schema, schema_of
from triollama.tools.errors import ToolArgumentsError

__all__ = ["Parameters", "docstring_of", "name_of", "read_parameters"]

TOLD_CHARACTERS_MAX: Final = 500
"""Of what does not fit, which may quote a value."""

DEFAULT_CHARACTERS_MAX: Final = 200
"""Of a default value that a description tells; a longer one is left out."""

_TIMES: Final[dict[object, str]] = {dt.datetime: "date-time", dt.time: "time"}
"""Types whose schema does not say how they are written, because a zone is optional."""

_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@attrs.frozen
class Parameters:
    """The parameters of one function.

    Attributes:
        schema: what is sent: ``{"type": "object", "properties": …, "required": …}``.
        struct: has one field per parameter; what was not given is UNSET, so that the function's own
            default holds.
        nullable: parameters for which null is a value.
        defaulted: parameters that may be left out.
    """

    schema: dict[str, Any]
    struct: type[msgspec.Struct]
    nullable: frozenset[str]
    defaulted: frozenset[str]

    def convert(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments as the function takes them.

        Models often write a number or a boolean as a text, and null for what they leave out: where
        the arguments do not fit as they are, these are understood as well.

        Raises:
            ToolArgumentsError: they do not fit.
        """
        droppable = self.defaulted - self.nullable
        given = {
            name: value
            for name, value in arguments.items()
            if value is not None or name not in droppable
        }
        try:
            made = msgspec.convert(given, self.struct, str_keys=True)
        except msgspec.ValidationError:
            made = self._convert_texts(tool, given)
        values = ((name, getattr(made, name)) for name in self.struct.__struct_fields__)
        return {name: value for name, value in values if value is not msgspec.UNSET}

    def _convert_texts(self, tool: str, given: Mapping[str, Any]) -> msgspec.Struct:
        """Convert, with numbers and booleans taken from texts."""
        try:
            return msgspec.convert(given, self.struct, strict=False, str_keys=True)
        except msgspec.ValidationError as error:
            told = f"the arguments do not fit: {error}"[:TOLD_CHARACTERS_MAX]
            raise ToolArgumentsError("the arguments do not fit", tool=tool, told=told) from error


def read_parameters(function: Callable[..., object], tool: str) -> Parameters:
    """Read the parameters of a function.

    Raises:
        SchemaError: one of them cannot be said as a JSON schema; the message says which and why.
    """
    where = f"tool {tool!r}"
    hints = _hints(function, where)
    told = docstring_of(function)[1]
    fields: list[tuple[str, Any, Any]] = []
    properties: dict[str, Any] = {}
    required: list[str] = []
    nullable: set[str] = set()
    defaulted: set[str] = set()
    for parameter in _signature(function, where).parameters.values():
        name = parameter.name
        _check(parameter, hints, f"{where}: parameter {name!r}")
        schema = _with_format(schema_of(hints[name], f"{where}: parameter {name!r}"), hints[name])
        has_default = parameter.default is not parameter.empty
        if _takes_null(schema):
            nullable.add(name)
        if has_default:
            defaulted.add(name)
            schema = _with_default(schema, parameter.default)
        else:
            required.append(name)
        if name in told:
            schema = {**schema, "description": told[name]}
        properties[name] = property_schema(schema, f"{where}: parameter {name!r}")
        kind = Union[hints[name], msgspec.UnsetType] if has_default else hints[name]  # noqa: UP007
        fields.append((name, kind, msgspec.UNSET if has_default else msgspec.NODEFAULT))
    schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return Parameters(schema, _struct(fields, where), frozenset(nullable), frozenset(defaulted))


def name_of(function: Callable[..., object]) -> str:
    """What a function is called, also one behind `functools.partial`.

    Raises:
        SchemaError: it is a lambda, which has no name.
    """
    while isinstance(function, functools.partial) and not hasattr(function, "__name__"):
        function = function.func
    name: str = getattr(function, "__name__", "") or type(function).__name__
    if name == "<lambda>":
        raise SchemaError("a lambda has no name that a model could call: give name=…")
    return name


def docstring_of(function: Callable[..., object]) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of each parameter (any common style)."""
    text = inspect.getdoc(_plain(function)) or ""
    if not text:
        return "", {}
    from docstring_parser import parse  # noqa: PLC0415 - 20 ms, for who has tools only

    found = parse(text)
    parts = filter(None, (found.short_description, found.long_description))
    of_parameters = {
        each.arg_name.lstrip("*"): " ".join((each.description or "").split())
        for each in found.params
    }
    return "\n".join(parts), {name: said for name, said in of_parameters.items() if said}


def _plain(function: Callable[..., object]) -> Callable[..., object]:
    """What has the docstring and the annotations: behind `functools.partial`, or ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return type(function).__call__


def _hints(function: Callable[..., object], where: str) -> dict[str, Any]:
    try:
        return get_type_hints(_plain(function), include_extras=True)
    except NameError as error:
        raise SchemaError(
            f"{where}: an annotation names {error.name!r}, which its module does not have; "
            "define it at the module's top"
        ) from None
    except (TypeError, AttributeError, SyntaxError) as error:
        raise SchemaError(f"{where}: its annotations cannot be read: {error}") from None


def _signature(function: Callable[..., object], where: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        raise SchemaError(f"{where} has no signature that can be read") from None


def _check(parameter: inspect.Parameter, hints: Mapping[str, Any], where: str) -> None:
    if parameter.kind not in _NAMED:
        raise SchemaError(
            f"{where} is {parameter.kind.description}; a model gives arguments by name: "
            "write named parameters"
        )
    if parameter.name not in hints:
        told = "has no annotation, so that the model cannot be told its type"
        if parameter.name == "self":
            told += "; of a method, make a tool once it is bound: tool(object.method)"
        raise SchemaError(f"{where} {told}")


def _struct(fields: list[tuple[str, Any, Any]], where: str) -> type[msgspec.Struct]:
    try:
        return msgspec.defstruct("Arguments", fields, forbid_unknown_fields=True, kw_only=True)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{where} cannot take its parameters as JSON: {error}") from None


def _takes_null(schema: Mapping[str, Any]) -> bool:
    choices = schema.get("anyOf", ())
    return not schema or schema.get("type") == "null" or {"type": "null"} in choices


def _with_default(schema: dict[str, Any], default: object) -> dict[str, Any]:
    """A schema of what may be left out: without null, and with the default where JSON has it."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if choices:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        schema = {**rest, **choices[0]} if len(choices) == 1 else {**rest, "anyOf": choices}
    try:
        plain = msgspec.to_builtins(default)
        written = msgspec.json.encode(plain)
    except (TypeError, ValueError, RecursionError):
        return schema
    is_told = written != b"null" and len(written) <= DEFAULT_CHARACTERS_MAX  # NaN is null in JSON
    return {**schema, "default": plain} if is_told else schema


def _with_format(schema: dict[str, Any], hint: Any) -> dict[str, Any]:
    """A schema that says how a time is written."""
    kinds = [kind for each in (hint, *get_args(hint)) for kind in _TIMES if each is kind]
    if len(kinds) != 1 or get_origin(hint) not in (None, Annotated, Union, types.UnionType):
        return schema
    added = {"format": _TIMES[kinds.pop()]}
    if "anyOf" not in schema:
        return {**added, **schema}
    text = {"type": "string"}
    return {**schema, "anyOf": [text | added if each == text else each for each in schema["anyOf"]]}
