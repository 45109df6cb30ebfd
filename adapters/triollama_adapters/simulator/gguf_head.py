"""What the first bytes of a GGUF file tell: its metadata, as far as they reach.

Owns the reading of the header and the names of file types. It is lenient: of a blob that has the
magic, and behind it nothing that can be read, it tells nothing, and create takes it for a small
llama in F16, so that a test can make up a model out of a few bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

__all__ = ["BITS", "FILE_TYPES", "is_gguf", "read_head"]

_MAGIC = b"GGUF"
_SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_HEADER = struct.Struct("<4sIQQ")
_VERSIONS = (2, 3)

FILE_TYPES: Mapping[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    32: "BF16",
}
"""By the number that ``general.file_type`` holds."""

BITS: Mapping[str, float] = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.5,
    "Q4_K_M": 4.85,
    "Q4_K_S": 4.6,
    "Q4_0": 4.5,
}
"""Bits of a weight, about; what a model weighs after it was quantized follows from it."""


def is_gguf(head: bytes) -> bool:
    """Whether a file begins as a GGUF file does."""
    return head.startswith(_MAGIC)


def read_head(head: bytes) -> dict[str, Any]:
    """Read the metadata up to where the bytes end, or make no sense."""
    found: dict[str, Any] = {}
    reader = _Reader(head)
    try:
        _magic, version, _tensors, count = reader.unpack(_HEADER)
        if version not in _VERSIONS:
            return found
        for _ in range(count):
            key = reader.text()
            found[key] = reader.value(reader.number("I"))
    except (struct.error, KeyError, UnicodeDecodeError):
        pass
    return found


class _Reader:
    """Takes values off bytes; what is not there is a `struct.error`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        values = form.unpack_from(self._data, self._at)
        self._at += form.size
        return values

    def number(self, letter: str) -> Any:
        return self.unpack(struct.Struct("<" + letter))[0]

    def text(self) -> str:
        size = self.number("Q")
        if size > len(self._data) - self._at:
            raise struct.error("a text is longer than what is there")
        text = self._data[self._at : self._at + size].decode()
        self._at += size
        return text

    def value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self.text()
        if kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            if inner == _ARRAY or count > len(self._data) - self._at:
                raise struct.error("an array is longer than what is there")
            return [self.value(inner) for _ in range(count)]
        return self.number(_SCALARS[kind])
