"""One line of JSON into its fields, and fields into one line of output. No IO.

The input's fields pass through byte for byte (`msgspec.Raw`): numbers keep their digits, and
nothing is decoded that is only carried. A key of the input that is also one of ours is written as
``input_<key>``; ours always mean what the documentation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

__all__ = [
    "OWN_KEYS",
    "Fields",
    "UnusableError",
    "encode_record",
    "fields_of",
    "listed",
    "renamed",
    "text_of",
    "without_mark",
]

OWN_KEYS: Final = frozenset(
    {
        "index",
        "content",
        "thinking",
        "done_reason",
        "usage",
        "endpoint",
        "attempts",
        "timings",
        "error",
    }
)
"""The keys that ``triollama run`` writes; a record has ``index``, and ``content`` or ``error``."""

_NAMES_MAX = 12
"""Field names listed in a message: enough to see the mistake, too few to flood a terminal."""

_NAME_CHARS_MAX = 40
"""Characters of one such name."""

_BOM = b"\xef\xbb\xbf"

Fields = Mapping[str, msgspec.Raw]

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class UnusableError(Exception):
    """A row cannot be asked. It never leaves this package: it becomes a record.

    Attributes:
        kind: which of the ways.
        what: what is wrong, to stand behind the row's place; never the row's text.
        fields: the row's fields, where it had any.
    """

    def __init__(self, kind: str, what: str, fields: Fields | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.what = what
        self.fields = fields or {}


def without_mark(content: bytes) -> bytes:
    """A first line without the byte order mark that many files of Windows begin with."""
    return content.removeprefix(_BOM)


def fields_of(content: bytes | None, size_bytes: int) -> Fields:
    """The fields of a line, undecoded.

    Args:
        content: the line; None if it was longer than the limit.
        size_bytes: what it takes in the input.

    Raises:
        UnusableError: it is too long, not UTF-8, not JSON, or not an object.
    """
    if content is None:
        raise UnusableError("LineTooLong", f"is longer than the limit: {size_bytes:,} bytes")
    try:
        # msgspec does not look into what it only carries.
        content.decode()
        return _decode_object(content)
    except UnicodeDecodeError as error:
        what = f"is not UTF-8: byte {error.start + 1} is not valid there"
        raise UnusableError("LineNotUtf8", what) from None
    except msgspec.ValidationError:
        raise UnusableError("LineNotAnObject", "is JSON, but not an object with fields") from None
    except msgspec.DecodeError as error:
        raise UnusableError("LineNotJson", f"is not JSON: {error}") from None
    except RecursionError:
        raise UnusableError("LineNotJson", "is not usable: its JSON is too deep") from None


def text_of(fields: Fields, name: str) -> str:
    """A field that must be there and be a string.

    Raises:
        UnusableError: it is missing, or no string.
    """
    if name not in fields:
        what = f"has no field {name!r}; its fields are: {listed(fields)}"
        raise UnusableError("PromptMissing", what, fields)
    try:
        return _decode_text(fields[name])
    except msgspec.ValidationError:
        what = f"has a field {name!r} that is not a string"
        raise UnusableError("PromptMissing", what, fields) from None


def listed(names: Iterable[str]) -> str:
    """Names for a message, so many and so much of each that it stays readable."""
    every = list(names)
    shown = [
        name if len(name) <= _NAME_CHARS_MAX else name[:_NAME_CHARS_MAX] + "…"
        for name in every[:_NAMES_MAX]
    ]
    if len(every) > _NAMES_MAX:
        shown.append(f"and {len(every) - _NAMES_MAX} more")
    return ", ".join(shown) or "none"


def renamed(fields: Mapping[str, Any], own_keys: frozenset[str]) -> dict[str, Any]:
    """The input's fields under names that are none of ours; no two get the same."""
    if own_keys.isdisjoint(fields):
        return dict(fields)
    result: dict[str, Any] = {}
    for key, value in fields.items():
        name = key
        while name in own_keys or (name != key and name in fields):
            name = f"input_{name}"
        result[name] = value
    return result


def encode_record(
    index: int, fields: Fields, own: Mapping[str, Any], own_keys: frozenset[str] = OWN_KEYS
) -> bytes:
    """Write one output line, its line end included.

    Args:
        index: the row's place in the input, from 0.
        fields: the input's fields.
        own: our keys and their values; attrs objects are written as objects.
        own_keys: every key that we may write, ``index`` and those of `own` among them.
    """
    return _encode({"index": index, **renamed(fields, own_keys), **own}) + b"\n"
