"""Building attrs classes from a server's JSON object, tolerant of age and of imitations.

Owns one rule for every reply that is not a stream: a missing or null field keeps its default, an
unknown one goes into ``extra``, a known one of the wrong type is a `ProtocolError`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, get_type_hints

import attrs
import msgspec

from ._json import DECODE_ERRORS, protocol_error

__all__ = ["build", "build_each", "read_object"]

T = TypeVar("T", bound=attrs.AttrsInstance)
Fields = dict[str, msgspec.Raw]
Nested = Callable[[msgspec.Raw, str], Any]

_NULL = b"null"


@cache
def _decoder(kind: Any) -> Callable[[bytes | msgspec.Raw], Any]:
    """One decoder per type; there are as many as the classes have kinds of fields."""
    return msgspec.json.Decoder(kind).decode


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """The types of a class's fields, without the ``extra`` that no server sends."""
    return {name: hint for name, hint in get_type_hints(kind).items() if name != "extra"}


def read_object(body: bytes | msgspec.Raw, what: str) -> Fields:
    """Split a JSON object into its fields, each still as bytes.

    Args:
        body: the whole reply.
        what: what it is, as the error should name it.

    Raises:
        ProtocolError: it is no JSON object; the message shows nothing of it.
    """
    fields: Fields = _decoded(body, Fields, what)
    return fields


def build(
    kind: type[T],
    fields: Fields,
    what: str,
    **nested: Nested,
) -> T:
    """Make an instance from the fields of an object.

    Args:
        kind: an attrs class with a field ``extra``.
        fields: the object, from `read_object`.
        what: what it is, as the error should name it.
        nested: for fields that hold objects with unknown fields of their own, how to build them.

    Raises:
        ProtocolError: a known field has the wrong type; the message names the field.
    """
    hints = _hints(kind)
    new: Callable[..., T] = kind
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, raw in fields.items():
        where = f"{what}, field {name!r}" if name in hints else what
        if name not in hints:
            extra[name] = _decoded(raw, Any, where)
        elif memoryview(raw) != _NULL:
            make = nested.get(name)
            known[name] = make(raw, where) if make else _decoded(raw, hints[name], where)
    return new(**known, extra=extra)


def build_each(kind: type[T], **nested: Nested) -> Callable[[msgspec.Raw, str], tuple[T, ...]]:
    """How to make an instance from each object of a list: a value for the ``nested`` of `build`."""

    def make(raw: msgspec.Raw, what: str) -> tuple[T, ...]:
        objects = _decoded(raw, list[Fields], what)
        return tuple(build(kind, fields, what, **nested) for fields in objects)

    return make


def _decoded(data: bytes | msgspec.Raw, kind: Any, what: str) -> Any:
    """Decode bytes as a type, or say why not."""
    try:
        return _decoder(kind)(data)
    except DECODE_ERRORS as error:
        raise protocol_error(what, error) from None
