"""A table in CSV as records. Blocking where the bytes come from: for threads.

The syntax is the standard library's, in its strict form: a quote that is not closed is an error of
its record, not a prompt with the rest of the file in it. A last record that is cut off is told
apart, because whoever writes the input may not be done: it has no line end, and an open quote or
fewer cells than the header. (One that is cut off within its last cell looks whole.)
"""

from __future__ import annotations

import csv
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import attrs
import msgspec

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.fields import Fields, UnusableError, listed, without_mark
from triollama_adapters.batch.input.json_lines import DIGEST_BYTES
from triollama_adapters.batch.input.lines import LINE_BYTES_MAX, Line, LineSplitter
from triollama_adapters.batch.input.unpacking import Inflow

__all__ = ["CsvRecord", "CsvRecords"]

RECORDS_AT_ONCE: Final = 1024
"""Records per reading at most, so that small ones do not pile up."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@attrs.define
class CsvRecord:
    """One record, not looked into yet.

    Attributes:
        number: its place in the input, from 0, without the header.
        line: the line that it begins on, from 1.
        size_bytes: what it takes in the input.
        header: the names of the fields.
        cells: its cells; empty if it could not be read.
        problem: why not.
    """

    number: int
    line: int
    size_bytes: int
    header: tuple[str, ...]
    cells: list[str]
    problem: UnusableError | None = None

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"line {self.line}"

    def digest(self) -> bytes:
        """Of its cells and of the header; if it could not be read, of what is wrong."""
        if self.problem is not None:
            content = f"{self.problem.kind} {self.size_bytes}".encode()
        else:
            try:
                content = _encode(self.cells)
            except UnicodeEncodeError:
                content = "\0".join(self.cells).encode("utf-8", "surrogateescape")
        salt = _salt(self.header)
        return blake2b(content, digest_size=DIGEST_BYTES, salt=salt).digest()

    def fields(self) -> Fields:
        """Its fields, all of them texts.

        Raises:
            UnusableError: it is not valid, or has not as many cells as the header.
        """
        if self.problem is not None:
            raise self.problem
        if len(self.cells) != len(self.header):
            cells = f"{len(self.cells)} cell{'' if len(self.cells) == 1 else 's'}"
            what = f"has {cells}, and the header {len(self.header)}"
            raise UnusableError("CsvNotUsable", what)
        try:
            return _decode(_encode(dict(zip(self.header, self.cells, strict=True))))
        except UnicodeEncodeError:
            raise UnusableError("LineNotUtf8", "is not UTF-8") from None


@lru_cache(maxsize=8)
def _salt(header: tuple[str, ...]) -> bytes:
    """What a header gives to its records' digests: the same cells under other names differ."""
    return blake2b(_encode(header), digest_size=blake2b.SALT_SIZE).digest()


class CsvRecords:
    """Reads records; blank lines are skipped, and do not count.

    Args:
        inflow: where the bytes come from.
        name: of the input, for messages.
        delimiter: what stands between cells.
    """

    def __init__(self, inflow: Inflow, name: str, delimiter: str = ",") -> None:
        # The limit is one for the whole process. It is only ever raised, to what a line may have.
        csv.field_size_limit(max(csv.field_size_limit(), LINE_BYTES_MAX))
        self._lines = _Lines(inflow)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self._name = name
        self._header: tuple[str, ...] = ()
        self._count = 0

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of the fields; None before the header is read."""
        return self._header or None

    def read(self) -> list[CsvRecord] | None:
        """The records that the next block completes, perhaps only the first; None at the end.

        Raises:
            InputError: see `Inflow`; or the header is not usable.
        """
        if not self._header:
            self._header = self._read_header()
        records: list[CsvRecord] = []
        while len(records) < RECORDS_AT_ONCE and (record := self._next()) is not None:
            records.append(record)
            if not self._lines.has_more_now:
                break
        return records or None

    def _read_header(self) -> tuple[str, ...]:
        record = self._next()
        problem = None if record is None else record.problem
        if record is None or problem is not None:
            what = "has no line" if problem is None else problem.what
            raise InputError(f"the input {self._name} has no header that can be read: it {what}")
        names = tuple(name.strip() for name in record.cells)
        twice = [name for at, name in enumerate(names) if name in names[:at]]
        if twice:
            raise InputError(f"the header of {self._name} has names twice: {listed(twice)}")
        if any("\udc80" <= character <= "\udcff" for name in names for character in name):
            raise InputError(f"the header of {self._name} is not UTF-8")
        if self._lines.is_cut:
            what = "has no line end behind its header; is it still being written?"
            raise InputError(f"the input {self._name} {what}")
        self._count = 0
        return names

    def _next(self) -> CsvRecord | None:
        cells: list[str] = []
        problem = None
        while not cells and problem is None:
            line, start_bytes = self._lines.count + 1, self._lines.size_bytes
            try:
                cells = next(self._reader)
            except StopIteration:
                return None
            except csv.Error as error:
                problem = UnusableError("CsvNotUsable", f"is not valid CSV: {error}")
            except UnusableError as error:
                problem = error
        if self._lines.is_cut and (problem is not None or len(cells) < len(self._header)):
            what = "is not whole and has no line end; is the input still being written?"
            problem = UnusableError("LineTorn", what)
        size_bytes = self._lines.size_bytes - start_bytes
        record = CsvRecord(self._count, line, size_bytes, self._header, cells, problem)
        self._count += 1
        return record


class _Lines:
    """Physical lines for `csv.reader`, with their ends; reads another block when it must.

    Attributes:
        is_cut: whether the last one that was given has no line end.
        count: lines given.
        size_bytes: what they take.
    """

    def __init__(self, inflow: Inflow) -> None:
        self._inflow = inflow
        self._splitter = LineSplitter()
        self._ready: list[bytes | Line] = []  # of one block, the next one last
        self._is_ended = False
        self.is_cut = False
        self.count = 0
        self.size_bytes = 0

    @property
    def has_more_now(self) -> bool:
        """Whether the next line is there already."""
        return bool(self._ready)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        while not self._ready:
            if self._is_ended:
                raise StopIteration
            self._ready = self._next_block()
        line = self._ready.pop()
        self.count += 1
        if isinstance(line, Line):
            return self._odd(line)
        self.size_bytes += len(line) + 1
        # What is not UTF-8 is told of the record that it is in, which only the reader knows.
        return line.decode("utf-8", "surrogateescape") + "\n"

    def _next_block(self) -> list[bytes | Line]:
        """The lines of the next block; those that have something about them as a `Line`."""
        block = self._inflow.read()
        self._is_ended = not block
        split = self._splitter.split(block) if block else None
        if split is None:
            lines = self._splitter.feed(block) if block else self._splitter.close()
            return [*reversed(lines)]
        first, contents = split
        ready: list[bytes | Line] = [*reversed(contents)]
        if first == 0 and ready:
            ready[-1] = first_line = without_mark(contents[0])
            self.size_bytes += len(contents[0]) - len(first_line)
        return ready

    def _odd(self, line: Line) -> str:
        self.size_bytes += line.size_bytes
        content = line.content
        if content is None:
            what = f"is longer than the limit: {line.size_bytes:,} bytes"
            raise UnusableError("LineTooLong", what)
        self.is_cut = len(content) == line.size_bytes
        if line.index == 0:
            content = without_mark(content)
        return content.decode("utf-8", "surrogateescape") + "\n"
