"""JSON lines as records. Blocking where the bytes come from: for threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import overload

import attrs

from triollama_adapters.batch.fields import Fields, UnusableError, fields_of, without_mark
from triollama_adapters.batch.input.lines import Line, LineSplitter
from triollama_adapters.batch.input.unpacking import Inflow

__all__ = ["DIGEST_BYTES", "JsonBlock", "JsonLines", "JsonRecord"]

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


class JsonBlock(Sequence[JsonRecord]):
    """The records of one block of the input, made only when they are looked at.

    When a batch is resumed most of them never are: their digests say enough.

    Args:
        first: the number of the first one.
        contents: their bytes, each without its line end; none is blank.
    """

    def __init__(self, first: int, contents: list[bytes]) -> None:
        self._first = first
        self._contents = contents

    def __len__(self) -> int:
        return len(self._contents)

    @overload
    def __getitem__(self, at: int) -> JsonRecord: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[JsonRecord]: ...

    def __getitem__(self, at: int | slice) -> JsonRecord | Sequence[JsonRecord]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        content = self._contents[at]
        number = self._first + (at if at >= 0 else at + len(self))
        return JsonRecord(Line(number, content, len(content) + 1))

    def digests(self, start: int, stop: int, size: int) -> bytes:
        """The first `size` bytes of the digest of each record of a range, one after the other."""
        some = self._contents[start:stop]
        return b"".join([blake2b(each, digest_size=DIGEST_BYTES).digest()[:size] for each in some])


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

    def read(self) -> Sequence[JsonRecord] | None:
        """The records that the next block completes, perhaps none; None at the end.

        Raises:
            InputError: see `Inflow`.
        """
        if self._is_ended:
            return None
        block = self._inflow.read()
        self._is_ended = not block
        if self._is_ended:
            return _records(self._splitter.close())
        split = self._splitter.split(block)
        if split is None:
            return _records(self._splitter.feed(block))
        first, contents = split
        if first and all(contents) and not any(map(bytes.isspace, contents)):
            return JsonBlock(first, contents)
        return _records(
            Line(number, content, len(content) + 1)
            for number, content in enumerate(contents, first)
        )


def _records(lines: Iterable[Line]) -> list[JsonRecord]:
    return [JsonRecord(line) for line in lines if not _is_blank(line)]


def _is_blank(line: Line) -> bool:
    content = line.content
    if line.index == 0 and content is not None:
        content = without_mark(content)
    return content is not None and not content.strip()
