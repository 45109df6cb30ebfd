"""SentencePiece's compiled rules of normalisation: the longest prefix of a text that has one.

A double array, compressed by XOR (Kanda 2018), maps byte strings to replacements: four bytes with
its size, its cells of four bytes, then the replacements, each ended by a zero byte.
"""

from __future__ import annotations

import sys
from array import array

from .errors import TokenizerError

__all__ = ["CharsMap"]

_SIZE_BYTES = 4


class CharsMap:
    """The rules; without any if the blob is empty.

    Raises:
        TokenizerError: the blob makes no sense.
    """

    def __init__(self, blob: bytes) -> None:
        size = int.from_bytes(blob[:_SIZE_BYTES], "little")
        if blob and (size % 4 or _SIZE_BYTES + size >= len(blob)):
            raise TokenizerError("its rules of normalisation are damaged")
        self._cells = array("I", blob[_SIZE_BYTES : _SIZE_BYTES + size])
        if sys.byteorder == "big":  # pragma: no cover
            self._cells.byteswap()
        self._replacements = blob[_SIZE_BYTES + size :]

    def goes_on(self, beginning: bytes, byte: int) -> bool:
        """Whether a rule's text begins so, and goes on with that byte."""
        text = beginning + bytes([byte])
        return self._walk(text, 0)[1] == len(text)

    def match(self, text: bytes, start: int) -> tuple[bytes, int] | None:
        """The replacement of the longest prefix of ``text[start:]``, and the prefix's length."""
        found, _ = self._walk(text, start)
        if found is None:
            return None
        offset, length = found
        end = self._replacements.find(b"\0", offset)
        if end < 0:
            raise TokenizerError("its rules of normalisation are damaged")
        return self._replacements[offset:end], length

    def _walk(self, text: bytes, start: int) -> tuple[tuple[int, int] | None, int]:
        """Where the longest prefix's replacement is, and its length; how far the rules go."""
        cells = self._cells
        found, at = None, start
        if not cells:
            return None, 0
        try:
            node = _base(cells[0])
            for at in range(start, len(text)):
                byte = text[at]
                node ^= byte
                cell = cells[node]
                if byte == 0 or cell & 0x800000FF != byte:
                    return found, at - start
                node ^= _base(cell)
                if cell >> 8 & 1:
                    found = (cells[node] & 0x7FFFFFFF, at - start + 1)
        except IndexError:
            raise TokenizerError("its rules of normalisation are damaged") from None
        return found, len(text) - start


def _base(cell: int) -> int:
    return (cell >> 10) << ((cell & 0x200) >> 6)
