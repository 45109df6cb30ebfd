"""Taking apart a request's JSON as Go does: keys in any case, null as unset, types strictly.

Owns the reading of single fields, `keep_alive`, `think` and images among them, with Ollama's error
texts. Which route has which fields stands in `calls`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from .encoding import decode_json
from .errors import ApiError

__all__ = [
    "Field",
    "boolean",
    "images",
    "integer",
    "keep_alive",
    "mismatch",
    "object_of",
    "objects",
    "raw",
    "read_body",
    "read_fields",
    "string",
    "strings",
    "think",
]

Field = Callable[[Any, str], Any]
"""Reads one value; the text is ``Struct.field``, for the error."""


def read_body(body: bytes, *, empty: str = "missing request body") -> dict[str, Any]:
    """Decode a body to an object.

    Args:
        body: its bytes.
        empty: the error of a body without anything.

    Raises:
        ApiError: 400 if it is empty, no JSON, or no object.
    """
    try:
        value = decode_json(body)
    except EOFError:
        raise ApiError(400, empty) from None
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise mismatch(value, "", "api.Request")
    return value


def read_fields(
    value: Mapping[str, Any], fields: Mapping[str, Field], struct: str
) -> dict[str, Any]:
    """Pick and check the known fields of an object; unknown ones are ignored.

    Args:
        value: the object; its keys match in any case, the last one wins.
        fields: how to read each.
        struct: the name that errors give it.

    Raises:
        ApiError: 400 for a value of the wrong type.
    """
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = key if key in fields else key.lower()
        if name in fields and item is not None:
            found[name] = fields[name](item, f"{struct}.{name}")
    return found


def mismatch(value: Any, where: str, kind: str) -> ApiError:
    """The error of a value of the wrong type: 400, in the words of Go's decoder."""
    field = f"Go struct field {where} of type {kind}" if where else f"Go value of type {kind}"
    return ApiError(400, f"json: cannot unmarshal {_json_kind(value)} into {field}")


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    kinds: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def string(value: Any, where: str) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise mismatch(value, where, "string")
    return value


def boolean(value: Any, where: str) -> bool:
    """Read a boolean; a text such as ``"false"`` is refused."""
    if not isinstance(value, bool):
        raise mismatch(value, where, "bool")
    return value


def integer(value: Any, where: str) -> int:
    """Read a whole number without a fraction."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise mismatch(value, where, "int")
    return value


def raw(value: Any, _where: str) -> Any:
    """Take any JSON as it is."""
    return value


def object_of(value: Any, where: str) -> dict[str, Any]:
    """Read an object."""
    if not isinstance(value, dict):
        raise mismatch(value, where, "map[string]interface {}")
    return value


def objects(value: Any, where: str) -> list[dict[str, Any]]:
    """Read an array of objects; null, or none, is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise mismatch(value, where, "[]interface {}")
    return [object_of(item, where) for item in value]


def strings(value: Any, where: str) -> list[str]:
    """Read an array of texts; null in it is an empty text, as in Go."""
    if not isinstance(value, list):
        raise mismatch(value, where, "[]string")
    return [string("" if item is None else item, where) for item in value]


def images(value: Any, where: str) -> tuple[bytes, ...]:
    """Read an array of images in standard base64, without a data URI's prefix."""
    decoded = []
    for text in strings(value, where):
        plain = text.replace("\n", "").replace("\r", "")
        try:
            decoded.append(b64decode(plain, validate=True))
        except (binascii.Error, ValueError):
            at = next((n for n, char in enumerate(text) if char not in _BASE64), len(text))
            raise ApiError(400, f"illegal base64 data at input byte {at}") from None
    return tuple(decoded)


_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def think(value: Any, _where: str) -> bool | str:
    """Read ``think``: a boolean or a level."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ApiError(
            400,
            'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
        )
    if value not in {"high", "medium", "low", "max"}:
        raise ApiError(
            400,
            f'invalid think value: "{value}" '
            '(must be "high", "medium", "low", "max", true, or false)',
        )
    return value


_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)([a-zµμ]*)")
_FOR_EVER_S = -1.0
_STAY_S_MAX = 9.2e9  # the longest duration that Go can hold, about 292 years


def keep_alive(value: Any, _where: str) -> float:
    """Read ``keep_alive`` as seconds: a number, or a Go duration; negative is for ever."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        kind = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
        raise ApiError(400, f"Unsupported type: '{kind.get(type(value), 'nil')}'")
    seconds = _duration_s(value) if isinstance(value, str) else min(value, _STAY_S_MAX)
    return _FOR_EVER_S if seconds < 0 else float(min(seconds, _STAY_S_MAX))


def _duration_s(text: str) -> float:
    """Read a Go duration such as ``1h30m`` or ``-1m``, in seconds."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    total, at = 0.0, 0
    while part := _PART.match(rest, at):
        number, unit = part.groups()
        if not unit:
            raise ApiError(400, f'time: missing unit in duration "{text}"')
        if unit not in _UNITS_S:
            raise ApiError(400, f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * _UNITS_S[unit]
        at = part.end()
    if at != len(rest) or not rest:
        raise ApiError(400, f'time: invalid duration "{text}"')
    return sign * total
