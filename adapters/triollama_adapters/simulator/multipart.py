"""A form of several parts (``multipart/form-data``), taken apart.

Owns the framing of RFC 2046 and the names of RFC 7578, under a limit on the number of parts; the
body itself has its limit in `http`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

__all__ = ["PARTS_MAX", "Part", "read_form"]

PARTS_MAX = 1000
"""Go's own limit."""
_BOUNDARY = re.compile(rb'boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_PARAMETER = re.compile(rb'\b(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


@frozen
class Part:
    """One part.

    Attributes:
        content: its bytes.
        filename: as it was sent; None for a field without a file.
    """

    content: bytes
    filename: str | None = None


def read_form(content_type: bytes, body: bytes) -> Mapping[str, Part]:
    """Read the parts by name; of those with the same name the first.

    Raises:
        ValueError: it is no such form; the message is fit for an error body.
    """
    if not content_type.lower().startswith(b"multipart/form-data"):
        raise ValueError("request Content-Type isn't multipart/form-data")
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("no multipart boundary param in Content-Type")
    delimiter = b"\r\n--" + found[1].strip()
    pieces = (b"\r\n" + body).split(delimiter, PARTS_MAX + 1)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("multipart: NextPart: EOF")
    parts: dict[str, Part] = {}
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        told = {key.lower(): value.decode("utf-8", "replace") for key, value in _names(head)}
        if b"name" in told:
            parts.setdefault(told[b"name"], Part(content, told.get(b"filename")))
    return parts


def _names(head: bytes) -> list[tuple[bytes, bytes]]:
    """Find the names in a part's disposition."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-disposition:"):
            return _PARAMETER.findall(line)
    return []
