"""JSON lines as records. Blocking where the bytes come from: for threads."""

from __future__ import annotations

from hashlib import blake2b

import attrs

from triollama_adapters.batch.fields import Fields, UnusableError, fields_of, without_mark
from triollama_adapters.batch.input.lines import Line, LineSplitter
from triollama_adapters.batch.input.unpacking import Inflow

__all__ = ["DIGEST_BYTES", "JsonLines", "JsonRecord"]

DIGEST_BYTES = 16
"""Of a row's digest: by chance two of 10⁹ rows are alike once in 10²⁰ files."""


@attrs.frozen(slots=True)
class JsonRecord:
    """One line, not looked into yet.

    Attributes:
        line: as the splitter gave it.
    """

    line: Line

    @property
    def number(self) -> int:
        """Its place in the input, from 0."""
        return self.line.index

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"line {self.line.index + 1}"

    @property
    def size_bytes(self) -> int:
        """What it takes in the input."""
        return self.line.size_bytes

    def digest(self) -> bytes:
        """Of its bytes; of a line over the limit, whose bytes are not kept, of their number."""
        content = self.line.content
        if content is None:
            content = b"too long: %d" % self.line.size_bytes
        return blake2b(content, digest_size=DIGEST_BYTES).digest()

    def fields(self) -> Fields:
        """Its fields.

        Raises:
            UnusableError: it is no object in JSON. A last line without its end is told apart,
                because whoever writes the input may not be done.
        """
        content = self.line.content
        if self.line.index == 0 and content is not None:
            content = without_mark(content)
        try:
            return fields_of(content, self.line.size_bytes)
        except UnusableError:
            if self.line.content is None or len(self.line.content) < self.line.size_bytes:
                raise
        what = "is not whole: it is no JSON and has no line end; is the input still being written?"
        raise UnusableError("LineTorn", what)


class JsonLines:
    """Reads lines; blank ones count, and are not given.

    Args:
        inflow: where the bytes come from.
    """

    def __init__(self, inflow: Inflow) -> None:
        self._inflow = inflow
        self._splitter = LineSplitter()
        self._is_ended = False

    @property
    def columns(self) -> None:
        """None: each has its own fields."""

    def read(self) -> list[JsonRecord] | None:
        """The records that the next block completes, perhaps none; None at the end.

        Raises:
            InputError: see `Inflow`.
        """
        if self._is_ended:
            return None
        block = self._inflow.read()
        self._is_ended = not block
        lines = self._splitter.feed(block) if block else self._splitter.close()
        return [JsonRecord(line) for line in lines if not _is_blank(line)]


def _is_blank(line: Line) -> bool:
    content = line.content
    if line.index == 0 and content is not None:
        content = without_mark(content)
    return content is not None and not content.strip()
