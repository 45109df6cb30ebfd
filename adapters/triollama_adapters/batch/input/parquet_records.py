"""A table in Parquet as records. Blocking: for threads. Needs the package pyarrow.

Read row group by row group and piece by piece, so that memory grows neither with the file nor with
its row groups. It is bounded by the file's pages, of which one of each column is decoded at a time:
1 MiB as most writers make them, but pyarrow puts 1,024 values into one, however long.

Each row becomes JSON as in `objects`; besides, times of day, dates and timestamps are kept to the
microsecond, a timestamp with a zone is told in UTC, maps become objects, and numbers of 16 and 32
bits are told as the doubles that they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.fields import listed
from triollama_adapters.batch.input.objects import ObjectRecord, record_of

__all__ = ["ParquetRecords"]

ROWS_AT_ONCE: Final = 1_024
"""Rows decoded at a time at most."""

PIECE_BYTES: Final = 4 * 1024 * 1024
"""What the rows of one piece take at most, if all rows of their group are as long as each other."""

BUFFER_BYTES: Final = 256 * 1024
"""Read at once of each column; without it whole columns of a row group are read."""


class ParquetRecords:
    """Reads rows.

    Args:
        path: of the file.
        name: of the input, for messages.

    Raises:
        InputError: it is broken or not whole, has two columns of one name, or the package for it
            is not installed.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._arrow, self._parquet = _packages()
        self._name = name
        self._count = 0
        with self._told():
            self._file = self._parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
            self._schema = _plain_schema(self._arrow, self._file.schema_arrow)
        self.columns: tuple[str, ...] = tuple(self._schema.names)
        twice = [column for at, column in enumerate(self.columns) if column in self.columns[:at]]
        if twice:
            raise InputError(f"the columns of {name} have names twice: {listed(twice)}")
        self._rows: int = self._file.metadata.num_rows
        self._pieces = self._read_pieces()

    @property
    def share(self) -> float:
        """How much of it has been read, from 0 to 1."""
        return self._count / self._rows if self._rows else 1.0

    def read(self) -> list[ObjectRecord] | None:
        """The rows of the next piece; None at the end.

        Raises:
            InputError: it is broken.
        """
        with self._told():
            piece = next(self._pieces, None)
            if piece is None:
                return None
            plain = piece.cast(self._schema, safe=False)
            rows: list[dict[str, Any]] = plain.to_pylist(maps_as_pydicts="lossy")
        start, self._count = self._count, self._count + len(rows)
        return [record_of(number, "row", row) for number, row in enumerate(rows, start)]

    def _read_pieces(self) -> Iterator[Any]:
        for at in range(self._file.num_row_groups):
            group = self._file.metadata.row_group(at)
            if not group.num_rows:
                continue
            row_bytes = max(1, group.total_byte_size // group.num_rows)
            yield from self._file.iter_batches(
                batch_size=max(1, min(ROWS_AT_ONCE, PIECE_BYTES // row_bytes)),
                row_groups=[at],
                use_threads=False,
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        # Besides Arrow's own: what the system says, and a text that is not UTF-8. Only its type is
        # told, as what an error says may quote the file.
        where = f" after row {self._count:,}" if self._count else ""
        try:
            yield
        except OverflowError as error:
            raise InputError(
                f"the input {self._name} has a date or time{where} that is not within the years 1 "
                "to 9999; make a text of it"
            ) from error
        except (self._arrow.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"the input {self._name} is Parquet, and broken, not whole or not readable{where} "
                f"({type(error).__name__}); is it still being written?"
            ) from error


def _packages() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise InputError(
            "an input in Parquet needs the package pyarrow; install it with: "
            "pip install 'triollama[parquet]', or make JSON lines of it"
        ) from None


def _plain_schema(arrow: Any, schema: Any) -> Any:
    """The columns with types whose values Python has as well."""
    return arrow.schema([field.with_type(_plain(arrow, field.type)) for field in schema])


def _plain(arrow: Any, kind: Any) -> Any:
    types = arrow.types

    def is_list(kind: Any) -> bool:
        return bool(types.is_list(kind) or types.is_large_list(kind))

    rules: tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...] = (
        (types.is_timestamp, lambda kind: arrow.timestamp("us", "UTC" if kind.tz else None)),
        (types.is_time64, lambda _: arrow.time64("us")),
        (types.is_duration, lambda _: arrow.duration("us")),
        (is_list, lambda kind: arrow.list_(_plain_field(arrow, kind.value_field))),
        (types.is_struct, lambda kind: arrow.struct([_plain_field(arrow, each) for each in kind])),
        (types.is_dictionary, lambda kind: _plain(arrow, kind.value_type)),
    )
    return next((make(kind) for holds, make in rules if holds(kind)), kind)


def _plain_field(arrow: Any, field: Any) -> Any:
    return field.with_type(_plain(arrow, field.type))
