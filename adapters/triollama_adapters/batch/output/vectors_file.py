"""Embeddings into one ``.npy``, a matrix of 32-bit floats, and whose each row is. Blocking.

NumPy's format 1.0: a header of text, then the numbers. How many there are is known only at the end,
so the header is written twice; `numpy.load(..., mmap_mode="r")` opens it whatever its size.
"""

from __future__ import annotations

import csv
import struct
import sys
from array import array
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any, BinaryIO, Final

from triollama_adapters.batch.errors import ExportError

__all__ = ["VectorsFile"]

_HEADER_BYTES: Final = 128
"""Enough for any number of rows; the numbers then begin at a multiple of 64, as is wanted."""

_MAGIC: Final = b"\x93NUMPY\x01\x00"


class VectorsFile:
    """Writes the vectors of rows, one after the other.

    Args:
        file: gets the matrix.
        index: gets a line of CSV for each of its rows: ``vector,index,place,custom_id``.
    """

    def __init__(self, file: BinaryIO, index: BinaryIO) -> None:
        self._file = file
        self._text = TextIOWrapper(index, encoding="utf-8", newline="", write_through=True)
        self._index = csv.writer(self._text, lineterminator="\n")
        self._index.writerow(("vector", "index", "place", "custom_id"))
        self._width: int | None = None
        self.count = 0
        file.write(_header(0, 0))

    def add(self, row: Mapping[str, Any]) -> None:
        """Write the vectors of one row.

        Raises:
            ExportError: it has none, or such as cannot be in the same matrix.
        """
        vectors = row.get("embeddings")
        where = f"row {row.get('index')}"
        if not isinstance(vectors, list):
            raise ExportError(f"{where} has no embeddings; export it to .csv or .parquet")
        for place, vector in enumerate(vectors):
            self._add(vector, where)
            self._index.writerow((self.count, row.get("index"), place, row.get("custom_id")))
            self.count += 1

    def finish(self) -> None:
        """Write the header; the files stay open."""
        self._text.detach()
        self._file.seek(0)
        self._file.write(_header(self.count, self._width or 0))

    def _add(self, vector: Any, where: str) -> None:
        try:
            numbers = array("f", vector)
        except (TypeError, OverflowError):
            raise ExportError(f"{where} has an embedding that is no list of numbers") from None
        if self._width is None:
            self._width = len(numbers)
        if len(numbers) != self._width:
            raise ExportError(
                f"{where} has an embedding of {len(numbers):,} numbers, and those before have "
                f"{self._width:,}: they cannot be one matrix; export them to .parquet"
            )
        if sys.byteorder == "big":
            numbers.byteswap()
        self._file.write(numbers.tobytes())


def _header(count: int, width: int) -> bytes:
    told = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {width}), }}"
    room = _HEADER_BYTES - len(_MAGIC) - 2
    return _MAGIC + struct.pack("<H", room) + told.ljust(room - 1).encode() + b"\n"
