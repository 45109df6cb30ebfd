"""Every sample as a file: JSON lines or Parquet, written as they come. Blocking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from io import FileIO
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.words import one_line

__all__ = ["SamplesWriter", "open_samples", "read_samples", "to_parquet"]

BUFFER_BYTES: Final = 1 << 18
"""JSON lines reach the file in pieces of so much: some hundred samples."""

GROUP_ROWS: Final = 10_000
"""Of Parquet; so many are in memory."""

_encode: Final = msgspec.json.Encoder().encode_into


class SamplesWriter(Protocol):
    """Takes samples; a `running.SampleSink`."""

    def add(self, sample: Sample) -> None:
        """Write one, sooner or later."""


def open_samples(path: Path) -> AbstractContextManager[SamplesWriter]:
    """A file of samples, JSON lines or ``.parquet`` by its name; one that is there is replaced.

    While a load runs, use JSON lines: one is encoded in some microseconds, a group of Parquet takes
    50 ms and more; `to_parquet` converts afterwards.

    Raises:
        ReportError: it cannot be written, or pyarrow is not installed.
    """
    return _open_parquet(path) if path.suffix == ".parquet" else _open_lines(path)


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of a file, one after the other.

    Raises:
        ReportError: it cannot be read, or is no such file.
    """
    try:
        yield from _parquet_rows(path) if path.suffix == ".parquet" else _lines(path)
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}") from error


def to_parquet(source: Path, path: Path) -> None:
    """Write the samples of a file of JSON lines as Parquet.

    Raises:
        ReportError: as `open_samples` and `read_samples`.
    """
    with open_samples(path) as writer:
        for sample in read_samples(source):
            writer.add(sample)


class _Lines:
    """Writes JSON lines."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file, self._path = file, path
        self._buffer = bytearray()

    def add(self, sample: Sample) -> None:
        _encode(sample, self._buffer, -1)
        self._buffer += b"\n"
        if len(self._buffer) >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        with _told(self._path):
            while self._buffer:  # a disk that is nearly full takes a part
                del self._buffer[: self._file.write(self._buffer)]


@contextmanager
def _open_lines(path: Path) -> Iterator[SamplesWriter]:
    with _told(path):
        file = path.open("wb", buffering=0)
    with file:
        lines = _Lines(file, path)
        try:
            yield lines
        finally:  # what there is, is kept, whatever ended the run
            lines.flush()


def _lines(path: Path) -> Iterator[Sample]:
    decode = msgspec.json.Decoder(Sample).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                why = one_line(str(error))
                raise ReportError(f"{path}, line {number}: no sample: {why}") from None


class _Groups:
    """Writes Parquet."""

    def __init__(self, arrow: Any, writer: Any, path: Path) -> None:
        self._arrow, self._writer, self._path = arrow, writer, path
        self._rows: list[dict[str, Any]] = []

    def add(self, sample: Sample) -> None:
        self._rows.append(msgspec.structs.asdict(sample))
        if len(self._rows) == GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            table = self._arrow.Table.from_pylist(self._rows, schema=self._writer.schema)
            with _told(self._path):
                self._writer.write_table(table)
            self._rows.clear()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            with _told(self._path):
                self._writer.close()


@contextmanager
def _open_parquet(path: Path) -> Iterator[SamplesWriter]:
    arrow, parquet = _arrow()
    with _told(path):
        writer = parquet.ParquetWriter(str(path), _schema(arrow), compression="zstd")
    groups = _Groups(arrow, writer, path)
    try:
        yield groups
    finally:
        groups.close()


def _parquet_rows(path: Path) -> Iterator[Sample]:
    arrow, parquet = _arrow()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(GROUP_ROWS):
                for row in batch.to_pylist():
                    yield msgspec.convert(row, Sample)
    except (arrow.ArrowInvalid, msgspec.ValidationError) as error:
        raise ReportError(f"{path} holds no samples: {one_line(str(error))}") from None


def _schema(arrow: Any) -> Any:
    types = {
        "int": arrow.int64(),
        "str": arrow.string(),
        "bool": arrow.bool_(),
        "Outcome": arrow.string(),
        "list[int]": arrow.list_(arrow.int64()),
    }
    fields = Sample.__annotations__
    return arrow.schema([(name, types[annotation]) for name, annotation in fields.items()])


def _arrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise ReportError(
            "samples as Parquet need the package pyarrow; install it with: "
            "pip install 'triollama[parquet]', or write to .jsonl"
        ) from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error
