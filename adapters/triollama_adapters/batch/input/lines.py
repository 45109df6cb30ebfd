"""Bytes into lines: the part of reading a file that needs no file.

Owns the unfinished last line, and nothing else. Only a line feed ends a line: U+0085, U+2028 and
U+2029 may stand inside JSON strings.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["LINE_BYTES_MAX", "Line", "LineSplitter"]

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Longest line that is kept. A request's text may be 1 MiB; the rest is room for the other fields
that pass through. A longer line costs no more memory than this one: its rest is only counted."""


@attrs.frozen
class Line:
    """One line of the input.

    Attributes:
        index: its place in the input, from 0.
        content: its bytes without the line end; None if it was longer than the limit.
        size_bytes: what it takes in the input, its line end included.
    """

    index: int
    content: bytes | None
    size_bytes: int


class LineSplitter:
    """Splits a sequence of blocks into lines, whatever the blocks' borders.

    Args:
        line_bytes_max: a longer line is reported without its content.
    """

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self._max = line_bytes_max
        self._pieces: list[bytes] = []
        self._size = 0
        self._index = 0

    def feed(self, block: bytes) -> list[Line]:
        """Take the next bytes and return the lines that they complete."""
        *ended, rest = block.split(b"\n")
        lines = []
        for piece in ended:
            self._keep(piece)
            lines.append(self._take(line_end_bytes=1))
        self._keep(rest)
        return lines

    def split(self, block: bytes) -> tuple[int, list[bytes]] | None:
        """Take the next bytes as `feed` does, but make no `Line` of what they complete.

        Returns:
            The index of the first line, and the bytes of it and of all others without their line
            ends; None if one may be too long: then nothing was taken.
        """
        if self._size + len(block) > self._max:
            return None
        ended = block.split(b"\n")
        rest = ended.pop()
        first = self._index
        if ended and self._size:
            ended[0] = b"".join((*self._pieces, ended[0]))
            self._pieces.clear()
            self._size = 0
        self._index += len(ended)
        self._keep(rest)
        return first, ended

    def close(self) -> list[Line]:
        """Return the last line, if the input did not end with a line end."""
        return [self._take(line_end_bytes=0)] if self._size else []

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def _take(self, line_end_bytes: int) -> Line:
        content = None if self._size > self._max else b"".join(self._pieces)
        line = Line(self._index, content, self._size + line_end_bytes)
        self._pieces.clear()
        self._size = 0
        self._index += 1
        return line
