"""Where records come from: whatever an input is, it gives them in this one way.

A `Feed` is asynchronous. `FileFeed` is the one over a file, a pipe, standard input or a folder: it
reads in a thread. That of a program's own rows is in `items`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final, Protocol

import trio

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.fields import Fields
from triollama_adapters.batch.input.blocks import FOREIGN, PARQUET, Blocks
from triollama_adapters.batch.input.csv_records import CsvRecords
from triollama_adapters.batch.input.json_lines import JsonLines
from triollama_adapters.batch.input.parquet_records import ParquetRecords
from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.input.unpacking import unpacked
from triollama_adapters.batch.input.wanted import Wanted

__all__ = ["REFUSED", "BlocksFeed", "Feed", "Record", "Records", "ThreadFeed"]

REFUSED: Final[Mapping[bytes, str]] = {
    start: what for start, what in FOREIGN.items() if start != PARQUET
}
"""How files begin that no batch can read, and what to do."""

_PACKED: Final = frozenset({".gz", ".zst", ".zstd"})
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}
_PARQUETS: Final = frozenset({".parquet", ".pq"})


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

    @property
    def columns(self) -> Sequence[str] | None:
        """The fields that every record has; None where each has its own, or before the first."""

    def read(self) -> Sequence[Record] | None:
        """The next records, perhaps none; None at the end."""


class Feed(Protocol):
    """An open input."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def size_bytes(self) -> int | None:
        """How long it is; None if that cannot be known."""

    @property
    def read_bytes(self) -> int:
        """How much of it has been read."""

    @property
    def format(self) -> Format | None:
        """What its records are, where that is known before one is read."""

    @property
    def columns(self) -> Sequence[str] | None:
        """As of `Records`."""

    async def read(self) -> Sequence[Record] | None:
        """The next records, perhaps none; None at the end.

        Cancellation leaves at once; then it cannot be read further.

        Raises:
            InputError: it cannot be read, or not further.
        """


class ThreadFeed:
    """Records that a thread reads.

    Args:
        name: of the input.
        format_: what its records are; None if only they tell.
        records: reads them.
    """

    def __init__(self, name: str, format_: Format | None, records: Records | None = None) -> None:
        self.name = name
        self.format = format_
        self._records = records

    @property
    def size_bytes(self) -> int | None:
        """How long it is; nobody knows."""
        return None

    @property
    def read_bytes(self) -> int:
        """How much of it has been read; nobody knows."""
        return 0

    @property
    def columns(self) -> Sequence[str] | None:
        """See `Records`."""
        return self._records.columns if self._records is not None else None

    async def read(self) -> Sequence[Record] | None:
        """See `Feed`."""
        return await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)

    def prepare(self) -> Records:
        """What reads the records. Blocking."""
        assert self._records is not None
        return self._records

    def _read(self) -> Sequence[Record] | None:
        return self.prepare().read()


class BlocksFeed(ThreadFeed):
    """A file, a pipe or standard input.

    Args:
        blocks: its bytes.
        wanted: what is read of it.
    """

    def __init__(self, blocks: Blocks, wanted: Wanted) -> None:
        self._suffix = _suffix(wanted.name)
        is_csv = wanted.format is None and self._suffix in _DELIMITERS
        super().__init__(blocks.name, Format.CSV if is_csv else wanted.format)
        self._blocks = blocks
        self._is_parted = wanted.delimiter is not None
        self._delimiter = wanted.delimiter or _DELIMITERS.get(self._suffix, ",")

    @property
    def size_bytes(self) -> int | None:
        """How long it is, packed if it is; None if that cannot be known."""
        return self._blocks.size_bytes

    @property
    def read_bytes(self) -> int:
        """How much of it has been read: up to a block more than the records given."""
        if isinstance(self._records, ParquetRecords):
            return round(self._records.share * (self._blocks.size_bytes or 0))
        return self._blocks.read_bytes

    def prepare(self) -> Records:
        """Look at what the bytes are. Blocking: of a pipe it waits for the first ones.

        Raises:
            InputError: as `read`.
        """
        if self._records is None:
            self._records = self._make_records()
        return self._records

    def _make_records(self) -> Records:
        is_parquet = self._blocks.signature == PARQUET
        if self.format is not Format.CSV and self._is_parted:
            raise ChoiceError(
                f"--delimiter is for CSV; if the input {self._blocks.name} is that, give --format "
                "csv, too"
            )
        if is_parquet or self._suffix in _PARQUETS:
            return self._parquet(is_parquet=is_parquet)
        inflow = unpacked(self._blocks)
        if self.format is Format.CSV:
            return CsvRecords(inflow, self._blocks.name, self._delimiter)
        return JsonLines(inflow)

    def _parquet(self, *, is_parquet: bool) -> ParquetRecords:
        name, path = self._blocks.name, self._blocks.path
        if not is_parquet:
            raise InputError(f"the input {name} is not Parquet, although it is called so")
        if path is None or self._blocks.size_bytes is None:
            raise InputError(
                f"the input {name} is Parquet, which is read from its end: give it as a file"
            )
        if self.format is Format.CSV:
            raise ChoiceError(f"the input {name} is Parquet; leave out --format csv")
        return ParquetRecords(path, name)


def _suffix(name: str) -> str:
    path = PurePath(name.lower())
    return (path.with_suffix("") if path.suffix in _PACKED else path).suffix
