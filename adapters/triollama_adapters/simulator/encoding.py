r"""JSON, numbers and times as a Go server writes them, byte for byte.

Owns the differences from Python's own: ``<``, ``>``, ``&``, U+2028 and U+2029 are escaped,
numbers turn to exponents elsewhere, fractions of a second lose their trailing zeros
(``ollama-api.md`` §0.2).
"""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

__all__ = [
    "Stamps",
    "decode_json",
    "encode_json",
    "float32_texts",
    "float_text",
    "rfc3339",
    "text_bytes",
]

_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_NS = 1_000_000_000


def encode_json(value: Any) -> bytes:
    """Write a value as compact JSON in the order of its keys.

    Floats must lie within [1e-4, 1e16) or be zero, where Python and Go agree; see `float_text`.
    """
    return _dumps(value).translate(_ESCAPES).encode("utf-8", "replace")


def text_bytes(text: str) -> bytes:
    """Write the inside of a JSON string, without its quotes."""
    return encode_json(text)[1:-1]


def float_text(text: str) -> str:
    """Turn Python's shortest form of a float into Go's: exponents only below 1e-6 or from 1e21."""
    if "e" not in text and not text.endswith(".0"):
        return text
    number = Decimal(text)
    if not number or Decimal("1e-6") <= abs(number) < Decimal("1e21"):
        plain = format(number, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def float32_texts(values: tuple[float, ...]) -> list[str]:
    """Write float32 values in their shortest form that reads back as the same float32.

    Seven to nine significant digits are enough for any float32; ``%g`` drops the zeros of shorter
    ones by itself.
    """
    texts = [f"{value:.7g}" for value in values]
    for digits in (8, 9):
        form = f"{len(texts)}f"
        read = struct.unpack(form, struct.pack(form, *map(float, texts)))
        for index, (mine, value) in enumerate(zip(read, values, strict=True)):
            if mine != value:
                texts[index] = f"{value:.{digits}g}"
    return [float_text(text) for text in texts]


class _NotJsonError(ValueError):
    """A constant that Python reads but JSON does not have."""


def _refuse(name: str) -> None:
    raise _NotJsonError(f"invalid character {name[0]!r} looking for beginning of value")


_decoder = json.JSONDecoder(parse_constant=_refuse)
_BLANKS = " \t\r\n"


def decode_json(body: bytes) -> Any:
    """Read the first JSON value of a body and ignore what stands behind it.

    Bytes that are not UTF-8, and halves of surrogate pairs, become U+FFFD as in Go.

    Raises:
        EOFError: there is nothing but blanks.
        ValueError: it is not JSON; the message is fit for an error body.
    """
    text = body.decode("utf-8", "replace").lstrip(_BLANKS)
    if not text:
        raise EOFError("missing request body")
    try:
        value, _end = _decoder.raw_decode(text)
    except _NotJsonError:
        raise
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip(_BLANKS)) or error.msg.startswith("Unterminated"):
            raise ValueError("unexpected EOF") from None
        raise ValueError(f"invalid character {text[error.pos]!r} in JSON") from None
    if "\\ud" in text or "\\uD" in text:
        return _without_surrogates(value)
    return value


def _without_surrogates(value: Any) -> Any:
    """Replace halves of surrogate pairs in all texts of a decoded value."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _fraction(ns: int) -> str:
    return f".{ns:09d}".rstrip("0") if ns else ""


def rfc3339(wall_ns: int, *, offset_minutes: int | None = None) -> str:
    """Write a time as Go's RFC3339Nano: up to nine digits of fraction, trailing zeros dropped.

    Args:
        wall_ns: nanoseconds since 1970; beyond the year 9999 it is held there.
        offset_minutes: of the zone to write it in; None writes UTC as ``Z``.
    """
    seconds, ns = divmod(min(wall_ns, 253_402_300_000 * _NS), _NS)
    zone = UTC if offset_minutes is None else timezone(timedelta(minutes=offset_minutes))
    moment = datetime.fromtimestamp(seconds, zone)
    if offset_minutes is None:
        return f"{moment:%Y-%m-%dT%H:%M:%S}{_fraction(ns)}Z"
    sign, minutes = ("-" if offset_minutes < 0 else "+"), abs(offset_minutes)
    offset = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else "Z"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{_fraction(ns)}{offset}"


class Stamps:
    """Formatted times, remembered: every event of one tick has the same ``created_at``.

    Args:
        wall_ns: the wall clock, in nanoseconds since 1970, at zero of the caller's clock.
    """

    def __init__(self, wall_ns: int) -> None:
        self._wall_ns = wall_ns
        self._now = -1.0
        self._stamp = b""
        self._second = -1
        self._prefix = ""
        self._date = b""

    def wall_ns(self, now: float) -> int:
        """The wall clock at ``now`` of the caller's clock, in nanoseconds since 1970."""
        return self._wall_ns + int(now * _NS)

    def created_at(self, now: float) -> bytes:
        """The time as it stands in ``created_at``, in UTC."""
        if now != self._now:
            seconds, ns = divmod(self._wall_ns + int(now * _NS), _NS)
            self._turn(seconds)
            self._now = now
            self._stamp = f"{self._prefix}{_fraction(ns)}Z".encode()
        return self._stamp

    def date(self, now: float) -> bytes:
        """The time as it stands in the ``Date`` header."""
        self._turn((self._wall_ns + int(now * _NS)) // _NS)
        return self._date

    def _turn(self, second: int) -> None:
        if second != self._second:
            self._second = second
            moment = datetime.fromtimestamp(second, UTC)
            self._prefix = f"{moment:%Y-%m-%dT%H:%M:%S}"
            day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
            self._date = f"{day}, {moment:%d} {month} {moment:%Y %H:%M:%S} GMT".encode()


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
