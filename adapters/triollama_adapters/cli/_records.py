"""One input line into one task, one outcome into one output line. No IO.

The input's other fields pass through byte for byte (`msgspec.Raw`): numbers keep their digits, and
nothing is decoded that is only carried. A key of the input that is also one of ours is written as
``input_<key>``; ours always mean what the documentation says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import msgspec

from triollama_adapters.cli._lines import Line

__all__ = ["OWN_KEYS", "BadLine", "Task", "encode_record", "parse_line"]

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
"""The keys that this program writes; a record has ``index``, and ``content`` or ``error``."""

_NAMES_MAX = 12
"""Field names listed in a message: enough to see the mistake, too few to flood a terminal."""

_NAME_CHARS_MAX = 40
"""Characters of one such name."""

_BOM = b"\xef\xbb\xbf"

Fields = Mapping[str, msgspec.Raw]

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Task:
    """A line that can be asked.

    Attributes:
        index: the line's place in the input, from 0.
        size_bytes: what the line takes in the input.
        fields: all fields of the line, undecoded.
        prompt: the text to ask.
    """

    index: int
    size_bytes: int
    fields: Fields
    prompt: str


@attrs.frozen
class BadLine:
    """A line that cannot be asked, and why. It becomes an error record.

    Attributes:
        index: the line's place in the input, from 0.
        size_bytes: what the line takes in the input.
        type: ``LineTooLong``, ``LineNotUtf8``, ``LineNotJson``, ``LineNotAnObject`` or
            ``PromptMissing``.
        message: what is wrong, with the line's number from 1; never the line's text.
        fields: the fields, where the line had any.
    """

    index: int
    size_bytes: int
    type: str
    message: str
    fields: Fields = attrs.field(factory=dict)


class _UnusableError(Exception):
    """A line cannot be asked: its kind, what is wrong, and its fields."""

    def __init__(self, kind: str, what: str, fields: Fields | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.what = what
        self.fields = fields or {}


def parse_line(line: Line, prompt_field: str) -> Task | BadLine | None:
    """Make a task of a line; None for a blank line.

    Args:
        line: the line as the splitter gave it.
        prompt_field: the field that holds the text to ask.
    """
    content = line.content
    if line.index == 0 and content is not None:
        content = content.removeprefix(_BOM)
    if content is not None and not content.strip():
        return None
    try:
        fields = _fields_of(content, line.size_bytes)
        return Task(line.index, line.size_bytes, fields, _prompt_of(fields, prompt_field))
    except _UnusableError as error:
        message = f"line {line.index + 1} {error.what}"
        return BadLine(line.index, line.size_bytes, error.kind, message, error.fields)


def _fields_of(content: bytes | None, size_bytes: int) -> Fields:
    if content is None:
        raise _UnusableError("LineTooLong", f"is longer than the limit: {size_bytes:,} bytes")
    try:
        # msgspec does not look into what it only carries.
        content.decode()
        return _decode_object(content)
    except UnicodeDecodeError as error:
        what = f"is not UTF-8: byte {error.start + 1} is not valid there"
        raise _UnusableError("LineNotUtf8", what) from None
    except msgspec.ValidationError:
        raise _UnusableError("LineNotAnObject", "is JSON, but not an object with fields") from None
    except msgspec.DecodeError as error:
        raise _UnusableError("LineNotJson", f"is not JSON: {error}") from None
    except RecursionError:
        raise _UnusableError("LineNotJson", "is not usable: its JSON is too deep") from None


def _prompt_of(fields: Fields, name: str) -> str:
    if name not in fields:
        what = f"has no field {name!r}; its fields are: {_listed(fields)}"
        raise _UnusableError("PromptMissing", what, fields)
    try:
        return _decode_text(fields[name])
    except msgspec.ValidationError:
        what = f"has a field {name!r} that is not a string"
        raise _UnusableError("PromptMissing", what, fields) from None


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = [
        name if len(name) <= _NAME_CHARS_MAX else name[:_NAME_CHARS_MAX] + "…"
        for name in every[:_NAMES_MAX]
    ]
    if len(every) > _NAMES_MAX:
        shown.append(f"and {len(every) - _NAMES_MAX} more")
    return ", ".join(shown) or "none"


def encode_record(index: int, fields: Fields, own: Mapping[str, Any]) -> bytes:
    """Write one output line, its line end included.

    Args:
        index: the input line's place, from 0.
        fields: the input's fields.
        own: our keys and their values, all of `OWN_KEYS`; attrs objects are written as objects.
    """
    record: dict[str, Any] = {"index": index}
    for key, value in fields.items():
        name = key
        while name in OWN_KEYS or (name != key and name in fields):
            name = f"input_{name}"
        record[name] = value
    record.update(own)
    return _encode(record) + b"\n"
