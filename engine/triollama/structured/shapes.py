"""Shapes: of which type each part of an answer is, so that complete parts can be objects."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import (
    Annotated,
    Any,
    Final,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import attrs
import msgspec

__all__ = ["ANY", "Shape", "shape_of"]

_UNIONS: Final = (Union, types.UnionType)


@attrs.frozen
class Shape:
    """The type of one part.

    Attributes:
        kind: the type; Any if it is not known.
        fields: of an object: the type of each field, by its name in JSON.
        rest: the type of every other part: of items, or of a dict's values.
    """

    kind: Any = Any
    fields: Mapping[str, Any] = {}
    rest: Any = Any

    def child(self, key: str | None) -> Shape:
        """The shape of a field (or of an item, with None)."""
        kind = self.rest if key is None else self.fields.get(key, self.rest)
        return ANY if kind is Any else shape_of(kind)

    def convert(self, value: Any) -> Any:
        """Plain JSON as an object of the type; as it is where it does not fit."""
        if self.kind is Any:
            return value
        try:
            return msgspec.convert(value, self.kind, str_keys=True)
        except (msgspec.ValidationError, RecursionError, TypeError):
            return value  # the whole answer will not fit either, and says why


ANY: Final = Shape()


def shape_of(kind: Any) -> Shape:
    """The shape of a type; `ANY` of what has no parts that are known."""
    try:
        return _shape_of(kind)
    except (TypeError, NameError):  # unhashable, or annotations that cannot be read
        return Shape(kind)


@lru_cache(maxsize=256)
def _shape_of(kind: Any) -> Shape:
    inner = _without_null(kind)
    origin, arguments = get_origin(inner), get_args(inner)
    if origin is None:
        return Shape(kind, _fields(inner))
    if isinstance(origin, type) and (fields := _fields(origin)):
        parameters = getattr(origin, "__parameters__", ())
        known = dict(zip(parameters, arguments, strict=False))
        return Shape(kind, {name: _filled(hint, known) for name, hint in fields.items()})
    if isinstance(origin, type) and arguments:
        if issubclass(origin, Mapping):
            return Shape(kind, rest=arguments[-1])
        if issubclass(origin, tuple) and arguments[1:] != (...,):
            return Shape(kind)
        if issubclass(origin, Sequence | AbstractSet):
            return Shape(kind, rest=arguments[0])
    return Shape(kind)


def _without_null(kind: Any) -> Any:
    """What is in Annotated and Optional."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
            continue
        if get_origin(kind) in _UNIONS:
            choices = [each for each in get_args(kind) if each is not type(None)]
            if len(choices) == 1:
                kind = choices[0]
                continue
        return kind


def _fields(kind: Any) -> dict[str, Any]:
    if not isinstance(kind, type):
        return {}
    if issubclass(kind, msgspec.Struct):
        names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    elif attrs.has(kind):
        names = {each.name: each.name for each in attrs.fields(kind)}
    elif hasattr(kind, "__dataclass_fields__"):
        names = {name: name for name in kind.__dataclass_fields__}
    elif is_typeddict(kind):
        names = {name: name for name in kind.__annotations__}
    else:
        return {}
    hints = get_type_hints(kind, include_extras=True)
    return {written: _marked(hints[name]) for name, written in names.items() if name in hints}


def _marked(hint: Any) -> Any:
    """What is in the marks that only a field of a TypedDict has."""
    while get_origin(hint) in (Required, NotRequired):
        hint = get_args(hint)[0]
    return hint


def _filled(hint: Any, known: Mapping[Any, Any]) -> Any:
    """A field's type, with the types that its generic class was given."""
    if isinstance(hint, TypeVar):
        return known.get(hint, Any)
    open_ones = () if isinstance(hint, type) else getattr(hint, "__parameters__", ())
    return hint[tuple(known.get(each, Any) for each in open_ones)] if open_ones else hint
