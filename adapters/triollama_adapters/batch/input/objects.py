"""Values of Python as records: the rows of a program, and those of Parquet. No IO.

What JSON has no form for is written so: times and durations as ISO 8601, bytes as base64, decimals
as numbers with all of their digits, NaN and infinities as null, sets as lists. The rules are
msgspec's, but for the decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import attrs
import msgspec

from triollama_adapters.batch.fields import Fields, UnusableError
from triollama_adapters.batch.input.json_lines import DIGEST_BYTES
from triollama_adapters.batch.input.lines import LINE_BYTES_MAX

__all__ = ["ObjectRecord", "record_of"]


def _other(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder(enc_hook=_other, decimal_format="number").encode
_encode_sorted = msgspec.json.Encoder(
    enc_hook=_other, decimal_format="number", order="sorted"
).encode


@attrs.frozen(slots=True)
class ObjectRecord:
    """One record, encoded.

    Attributes:
        number: its place in the input, from 0.
        word: what a record is called here, such as ``row``.
        content: its fields as JSON; empty if it could not be encoded.
        marked: its digest.
        problem: why not.
    """

    number: int
    word: str
    content: bytes = attrs.field(repr=False)
    marked: bytes
    problem: UnusableError | None = None

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.word} {self.number + 1}"

    @property
    def size_bytes(self) -> int:
        """What it takes as JSON."""
        return len(self.content)

    def digest(self) -> bytes:
        """Of its JSON with the keys sorted; if it has none, of what is wrong."""
        return self.marked

    def fields(self) -> Fields:
        """Its fields.

        Raises:
            UnusableError: it could not be encoded, or is too long.
        """
        if self.problem is not None:
            raise self.problem
        return _decode(self.content)


def record_of(number: int, word: str, value: object) -> ObjectRecord:
    """Make a record of a row: a text, which is the field ``prompt``, or a mapping."""
    try:
        fields = _fields(value)
        content = _encode(fields)
        if len(content) > LINE_BYTES_MAX:
            return _bad(number, word, _too_long(len(content)))
        # Some of what can be encoded is no JSON: a decimal that is no number.
        _decode(content)
        return ObjectRecord(number, word, content, _hash(_encode_sorted(fields)))
    except UnusableError as error:
        problem = error
    except UnicodeEncodeError:
        problem = _unusable("it has a text that is not Unicode: a lone surrogate")
    except RecursionError:
        problem = _unusable("it is too deep")
    except msgspec.DecodeError:
        problem = _unusable("it has a decimal that is no number")
    except Exception as error:  # noqa: BLE001 - whatever the program's own classes raise
        # Only what is said of types has no values in it.
        is_of_type = type(error) is TypeError
        problem = _unusable(str(error) if is_of_type else type(error).__name__)
    return _bad(number, word, problem)


def _fields(value: object) -> dict[str, Any]:
    if isinstance(value, str):
        return {"prompt": value}
    if not isinstance(value, Mapping):
        raise _unusable(f"a {type(value).__name__} is neither a text nor a mapping")
    fields: dict[str, Any] = dict(value)
    if any(not isinstance(name, str) for name in fields):
        raise _unusable("it has a key that is no text")
    return fields


def _bad(number: int, word: str, problem: UnusableError) -> ObjectRecord:
    mark = _hash(f"{problem.kind} {problem.what}".encode())
    return ObjectRecord(number, word, b"", mark, problem)


def _too_long(size_bytes: int) -> UnusableError:
    return UnusableError("LineTooLong", f"is longer than the limit: {size_bytes:,} bytes")


def _unusable(what: str) -> UnusableError:
    return UnusableError("RowNotUsable", f"is not usable: {what}")


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()
