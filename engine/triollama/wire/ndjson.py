r"""Lines out of bytes: split on ``\n`` only, with a limit.

``str.splitlines`` and its kin also split on U+0085, U+2028 and U+2029, which may stand inside a
JSON string; so lines are cut while they are bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from triollama._errors import AnswerTooLargeError

LINE_BYTES_MAX = 16 * 1024 * 1024
"""Ollama's own Go client reads lines of up to 8,000,000 bytes; a tool call may hold a file."""


class LineSplitter:
    """Cuts a byte stream into lines, whatever pieces it comes in.

    Args:
        line_bytes_max: the longest line, its line break not counted.
    """

    __slots__ = ("_held", "_line_bytes_max")

    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self._line_bytes_max = line_bytes_max
        # Not a list of pieces: of a long line in two-byte chunks, each would cost 40 bytes.
        self._held = bytearray()

    def feed(self, data: bytes) -> Sequence[bytes]:
        """The lines that `data` completes, without their line breaks; empty ones are left out.

        Raises:
            AnswerTooLargeError: a line, finished or not, is longer than the limit.
        """
        if b"\n" not in data:
            self._hold(data)
            return ()
        first, *others = data.split(b"\n")
        self._hold(first)
        lines = [self.finish(), *others]
        self._hold(lines.pop())
        if max(map(len, lines), default=0) > self._line_bytes_max:
            self._refuse()
        return lines if all(lines) else [line for line in lines if line]

    def is_line(self, data: bytes) -> bool:
        """Whether these bytes are one line with its break, so that they need not be fed.

        An Ollama server flushes line by line: they are nearly every time.
        """
        last = len(data) - 1
        return 0 < data.find(b"\n") == last <= self._line_bytes_max and not self._held

    def finish(self) -> bytes:
        """What stands after the last line break: a line that was not terminated, or nothing."""
        held = bytes(self._held)
        self._held = bytearray()
        return held

    def _hold(self, data: bytes) -> None:
        if len(self._held) + len(data) > self._line_bytes_max:
            self._refuse()
        self._held += data

    def _refuse(self) -> None:
        message = f"a line of the answer is longer than {self._line_bytes_max} bytes"
        raise AnswerTooLargeError(message)
