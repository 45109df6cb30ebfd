"""JSON at the edge: what a request may hold, and how errors are told without their content.

Owns the two places where text crosses into or out of JSON: `plain_json` and `encode_body` for what
callers give, `protocol_error` for what servers send. Knows nothing of any endpoint.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import msgspec

from triollama._errors import InvalidRequestError, ProtocolError

__all__ = [
    "BODY_BYTES_MAX",
    "DECODE_ERRORS",
    "JSON_DEPTH_MAX",
    "counted",
    "encode_body",
    "is_too_deep",
    "plain_json",
    "protocol_error",
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


def plain_json(value: object, where: str, *, depth: int = 0) -> Any:
    """Copy a caller's value into plain JSON types, so that later changes to it change nothing.

    Args:
        value: anything that JSON can carry: mappings with string keys, sequences, text, numbers,
            booleans, None.
        where: what the value is, as the error should name it.
        depth: how deep in the whole value this one lies.

    Raises:
        InvalidRequestError: another type, NaN or an infinity (JSON has neither), a key that is no
            string, or more than `JSON_DEPTH_MAX` levels.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRequestError(f"{where} holds a number that is NaN or infinite")
        return value
    if depth >= JSON_DEPTH_MAX:
        raise InvalidRequestError(f"{where} is nested deeper than {JSON_DEPTH_MAX} levels")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InvalidRequestError(f"{where} has a key that is not a string")
        return {key: plain_json(item, where, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain_json(item, where, depth=depth + 1) for item in value]
    raise InvalidRequestError(f"{where} holds a {type(value).__name__}, which JSON cannot carry")


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
        raise InvalidRequestError(
            "a text of the request holds a lone surrogate (half of a UTF-16 pair), which UTF-8 "
            "cannot carry; decode the text with errors='replace' first"
        ) from None
    if len(body) > BODY_BYTES_MAX:
        raise InvalidRequestError(
            f"the request has {len(body)} bytes; the limit is {BODY_BYTES_MAX}"
        )
    return body


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
