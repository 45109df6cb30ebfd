"""JSON at the edge: what a request may hold, and how errors are told without their content.

Owns the two places where text crosses into or out of JSON: `plain_json` and `encode_body` for what
callers give, `protocol_error` for what servers send. Knows nothing of any endpoint.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

import msgspec

from triollama._errors import InvalidRequestError, Problem, ProtocolError

from ._problems import PROBLEMS_MAX, refused

__all__ = [
    "BODY_BYTES_MAX",
    "DECODE_ERRORS",
    "JSON_DEPTH_MAX",
    "counted",
    "encode_body",
    "is_too_deep",
    "plain_json",
    "protocol_error",
    "shown",
    "veiled",
]

JSON_DEPTH_MAX = 64
"""Nesting of a schema, of options, or of tool arguments. Real ones stay below 20; without a limit a
hostile value costs the stack."""

BODY_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of one request body. Ollama itself has no limit; a few large images fit in this."""

DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Everything that msgspec raises on bytes that are not the JSON that was asked for."""


def _without_subclass(value: object) -> object:
    """Give msgspec, which takes exact types only, the value that a subclass of a plain type has."""
    if isinstance(value, str):
        return str.__str__(value)  # not str(value), which gives the name of an enumeration's member
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise AssertionError(f"a {type(value).__name__} passed the checks of a request")


_encode = msgspec.json.Encoder(enc_hook=_without_subclass).encode


def plain_json(value: object, where: str, *, path: str = "", depth: int = 0) -> Any:
    """Copy a caller's value into plain JSON types, so that later changes to it change nothing.

    Args:
        value: anything that JSON can carry: mappings with string keys, sequences, text, numbers,
            booleans, None.
        where: what the value is, as the error should name it.
        path: the same as a path; by default ``where``.
        depth: how deep in the whole value this one lies.

    Raises:
        InvalidRequestError: another type, NaN or an infinity (JSON has neither), a key that is no
            string, or more than `JSON_DEPTH_MAX` levels.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    path = path or where
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _not_json(path, where, "holds", "a number that is NaN or infinite")
        return value
    if depth >= JSON_DEPTH_MAX:
        levels = f"deeper than {JSON_DEPTH_MAX} levels"
        raise refused(path, levels, "less nested", f"{where} is nested {levels}")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise _not_json(path, where, "has", "a key that is not a string")
        items = value.items()
        return {key: plain_json(item, where, path=path, depth=depth + 1) for key, item in items}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain_json(item, where, path=path, depth=depth + 1) for item in value]
    raise _not_json(path, where, "holds", f"a {type(value).__name__}, which JSON cannot carry")


def _not_json(path: str, where: str, verb: str, found: str) -> InvalidRequestError:
    return refused(path, found, "what JSON can carry", f"{where} {verb} {found}")


def is_too_deep(value: object, levels: int = JSON_DEPTH_MAX) -> bool:
    """Whether decoded JSON is nested more than ``levels`` deep."""
    if isinstance(value, dict):
        return levels == 0 or any(is_too_deep(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(is_too_deep(item, levels - 1) for item in value)
    return False


def encode_body(fields: dict[str, Any]) -> bytes:
    """Encode a request's body, leaving out what is None.

    Raises:
        InvalidRequestError: a text holds half of a surrogate pair, which UTF-8 cannot carry, or
            the body is larger than `BODY_BYTES_MAX`. The message shows nothing of the request.
    """
    try:
        body = _encode({name: value for name, value in fields.items() if value is not None})
    except UnicodeEncodeError:
        # Not chained: the codec's own exception carries the whole text.
        raise _surrogates(fields) from None
    if len(body) > BODY_BYTES_MAX:
        found, allowed = f"{len(body)} bytes", f"at most {BODY_BYTES_MAX} bytes"
        told = f"the request has {len(body)} bytes; the limit is {BODY_BYTES_MAX}"
        raise refused("", found, allowed, told)
    return body


def _surrogates(fields: Mapping[str, object]) -> InvalidRequestError:
    """Say which texts hold half of a pair."""
    bad = (path for name, value in fields.items() for path in _undecodable(name, value))
    paths = list(dict.fromkeys(islice(bad, PROBLEMS_MAX)))
    return InvalidRequestError(
        problems=[Problem(at, "a lone surrogate", "text", f"{at}: {_SURROGATE}") for at in paths]
    )


def _undecodable(path: str, value: object) -> Iterator[str]:
    """The paths of texts that UTF-8 cannot carry, without the names in a caller's own mappings."""
    if not isinstance(value, str):
        for at, part in _parts(path, value):
            yield from _undecodable(at, part)
        return
    try:
        value.encode()
    except UnicodeEncodeError:
        yield path


def _parts(path: str, value: object) -> Iterator[tuple[str, object]]:
    """What an object of a request consists of, each part with its path."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield f"{path}.{name}", getattr(value, name)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield path, key
            is_option = path == "options" and key.isidentifier()
            yield f"{path}.{key}" if is_option else path, item
    elif isinstance(value, list | tuple):
        for at, item in enumerate(value):
            yield f"{path}[{at}]", item


_SURROGATE = (
    "a text of the request holds a lone surrogate (half of a UTF-16 pair), which UTF-8 "
    "cannot carry; decode the text with errors='replace' first"
)


def shown(number: float) -> str:
    """A number for a message: Python refuses to write out one of 4,300 digits."""
    return str(number) if abs(number) < 10**30 else f"a {type(number).__name__} beyond 1e30"


def protocol_error(what: str, error: Exception) -> ProtocolError:
    """Say why bytes from a server could not be read, by position and type only.

    The caller raises it ``from None``: a codec's exception carries the bytes themselves.
    """
    if isinstance(error, UnicodeDecodeError):
        return ProtocolError(f"{what} is not UTF-8 (byte {error.start} of a text)")
    if isinstance(error, RecursionError):
        return ProtocolError(f"{what} is nested too deeply")
    return ProtocolError(f"{what} is not as Ollama writes it: {error}")


def counted(values: Sized) -> str:
    """The stand-in for a collection in a ``repr``: how much there is, not what."""
    return f"<{len(values)}>"


def veiled(text: str | None) -> str:
    """The stand-in for a text in a ``repr``: its length and a short hash, never its content.

    Equal texts give equal stand-ins, so that log lines can be matched.
    """
    if text is None:
        return "None"
    data = text.encode("utf-8", "surrogatepass")
    return f"<{len(text)} long, #{hashlib.blake2b(data, digest_size=4).hexdigest()}>"
