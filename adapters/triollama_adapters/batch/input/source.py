"""The rows of an input: read by a thread, parsed and filtered in the loop, in constant memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import PurePath
from typing import Final, Protocol

import attrs
import trio

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import Fields, UnusableError
from triollama_adapters.batch.input.blocks import Blocks, open_blocks
from triollama_adapters.batch.input.csv_records import CsvRecords
from triollama_adapters.batch.input.filters import Filter
from triollama_adapters.batch.input.json_lines import JsonLines
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.requests import Requests, asked, choose_requests, found_format
from triollama_adapters.batch.input.unpacking import unpacked
from triollama_adapters.batch.rows import Row, RowError

__all__ = ["RowSource", "Wanted", "open_rows"]

ROWS_AT_ONCE: Final = 128
"""Records parsed in one go, some 10 µs each: so long at most does the loop not turn."""

_PACKED: Final = frozenset({".gz", ".zst", ".zstd"})
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


class Record(Protocol):
    """One record of an input, not looked into yet."""

    @property
    def number(self) -> int:
        """Its place in the input, from 0."""

    @property
    def place(self) -> str:
        """Where it stands, for messages."""

    @property
    def size_bytes(self) -> int:
        """What it takes in the input, unpacked."""

    def digest(self) -> bytes:
        """16 bytes, the same for the same content."""

    def fields(self) -> Fields:
        """Its fields.

        Raises:
            UnusableError: it has none that can be read.
        """


class Records(Protocol):
    """Reads records. Blocking: called in a thread."""

    def read(self) -> Sequence[Record] | None:
        """The next records, perhaps none; None at the end."""


def _check_delimiter(_: object, __: object, value: str | None) -> None:
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise ChoiceError(f"a delimiter is one character, such as ; or a tab, not {value!r}")


@attrs.frozen(kw_only=True)
class Wanted:
    """What is read, and how.

    Attributes:
        name: a path, or ``-`` for standard input.
        plan: what is asked of all rows.
        filter: which rows are asked.
        format: what the rows are; None: CSV by the file's name, the others by the first record.
        delimiter: what stands between the cells of CSV; None: a tab for ``.tsv``, else a comma.
    """

    name: str
    plan: Plan
    filter: Filter = attrs.field(factory=Filter)
    format: Format | None = None
    delimiter: str | None = attrs.field(default=None, validator=_check_delimiter)


class RowSource:
    """An open input. Made by `open_rows`; for one task.

    Attributes:
        filtered: rows so far that the filter left out.
    """

    def __init__(self, blocks: Blocks, wanted: Wanted) -> None:
        self._blocks = blocks
        self._wanted = wanted
        suffix = _suffix(wanted.name)
        is_table = wanted.format is Format.CSV or (wanted.format is None and suffix in _DELIMITERS)
        self._format = Format.CSV if is_table else wanted.format
        self._delimiter = wanted.delimiter or _DELIMITERS.get(suffix, ",")
        self._records: Records | None = None
        self._requests: Requests | None = None
        self._pending: Sequence[Record] = ()
        self._taken = 0
        self._given = 0
        self.filtered = 0

    def __repr__(self) -> str:
        return f"<RowSource {self._blocks.name!r}, {self._given} rows given>"

    @property
    def size_bytes(self) -> int | None:
        """How long the input is, packed if it is; None if that cannot be known."""
        return self._blocks.size_bytes

    @property
    def read_bytes(self) -> int:
        """How much of it has been read: up to a block more than the rows given."""
        return self._blocks.read_bytes

    @property
    def requests(self) -> Requests | None:
        """What makes requests of the rows; None before the first record that can be read."""
        return self._requests

    async def look(self) -> Format | None:
        """What the rows are, before any of them is read; None if that cannot be told yet.

        Nothing is taken: `read` gives all rows. Cancelled as `read` is.

        Raises:
            InputError: as `read`.
        """
        if self._format is not None:
            return self._format
        while not self._pending:
            if not await self._fill():
                return None
        for record in self._pending:
            with suppress(UnusableError):
                return found_format(self._wanted.plan, record.fields())
        return None

    def take_model(self, model: str) -> None:
        """Name the model of rows that name none. To be called before the first `read`."""
        plan = attrs.evolve(self._wanted.plan, model=model)
        self._wanted = attrs.evolve(self._wanted, plan=plan)

    async def read(self) -> list[Row] | None:
        """Give the next rows, perhaps none; None at the end.

        Cancellation leaves at once, even while a pipe has nothing to give; then it cannot be read
        further.

        Raises:
            InputError: the input cannot be read, is empty, damaged, or no text in UTF-8.
        """
        if self._is_satisfied():
            return None
        if self._taken == len(self._pending):
            if not await self._fill():
                return None
        else:
            await trio.lowlevel.checkpoint()
        records = self._pending[self._taken : self._taken + ROWS_AT_ONCE]
        self._taken += len(records)
        return self._rows(records)

    def prepare(self) -> None:
        """Look at what the bytes are. Blocking: of a pipe it waits for the first ones.

        Raises:
            InputError: as `read`.
        """
        if self._records is None:
            inflow = unpacked(self._blocks)
            if self._format is Format.CSV:
                self._records = CsvRecords(inflow, self._blocks.name, self._delimiter)
            else:
                self._records = JsonLines(inflow)

    async def _fill(self) -> bool:
        """Take the next records, perhaps none, for those that are given; False at the end."""
        records = await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)
        if records is None:
            return False
        self._pending, self._taken = records, 0
        return True

    def _read(self) -> Sequence[Record] | None:
        self.prepare()
        assert self._records is not None
        return self._records.read()

    def _rows(self, records: Sequence[Record]) -> list[Row]:
        rows: list[Row] = []
        for record in records:
            if self._is_satisfied():
                break
            if (row := self._row(record)) is None:
                self.filtered += 1
            else:
                rows.append(row)
                self._given += 1
        return rows

    def _is_satisfied(self) -> bool:
        limit = self._wanted.filter.limit
        return limit is not None and self._given >= limit

    def _row(self, record: Record) -> Row | None:
        """The row of a record; None if it is left out."""
        if self._requests is None:
            self._choose(record)
        which = self._wanted.filter
        if not which.takes(record.number) or not which.draws(digest := record.digest()):
            return None
        fields: Fields = {}
        ask = error = None
        try:
            fields = record.fields()
            if not which.wants(fields):
                return None
            # Without it no record could be read so far, and this one neither.
            assert self._requests is not None
            ask = asked(self._requests, fields)
        except UnusableError as unusable:
            error = RowError(unusable.kind, f"{record.place} {unusable.what}")
        custom_id = self._requests.custom_id(fields) if self._requests is not None else None
        number, place, size_bytes = record.number, record.place, record.size_bytes
        return Row(number, digest, place, size_bytes, ask, error, fields, custom_id)

    def _choose(self, record: Record) -> None:
        # Whatever the filter: all shards of an input take it for the same format.
        try:
            fields = record.fields()
        except UnusableError:
            return
        self._requests = choose_requests(self._format, self._wanted.plan, fields)


@asynccontextmanager
async def open_rows(wanted: Wanted) -> AsyncIterator[RowSource]:
    """Open an input, or say why that is not possible, before any work is done.

    Args:
        wanted: what is read, and how.

    Raises:
        InputError: it is missing, a directory, empty, not readable, of a foreign kind, or packed
            in a way for which a package is missing.
    """
    # A FIFO blocks in open() until its other end comes: never in the loop's thread.
    opening = partial(open_blocks, wanted.name)
    blocks = await trio.to_thread.run_sync(opening, abandon_on_cancel=True)
    try:
        source = RowSource(blocks, wanted)
        if source.size_bytes is not None:
            source.prepare()
        yield source
    finally:
        blocks.close()


def _suffix(name: str) -> str:
    path = PurePath(name.lower())
    return (path.with_suffix("") if path.suffix in _PACKED else path).suffix
