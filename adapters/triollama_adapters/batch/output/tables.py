"""Rows into tables: CSV, or Parquet with the package pyarrow. Blocking."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any, BinaryIO, Final

from triollama_adapters.batch.errors import ExportError
from triollama_adapters.batch.output.columns_found import Column, Type, text_of_value

__all__ = ["arrow", "write_csv", "write_parquet"]

GROUP_ROWS: Final = 10_000
GROUP_BYTES: Final = 16 << 20
"""Of a row group, as JSON: whichever is reached first; all of a group is in memory."""

Row = Mapping[str, Any]


def write_csv(file: BinaryIO, columns: Sequence[Column], rows: Iterable[tuple[Row, int]]) -> None:
    """Write a table with a line of names; what is missing is empty, lists and objects are JSON.

    Texts are what they are: also one that begins with ``=``, ``+``, ``-`` or ``@``, which programs
    for spreadsheets take for a formula unless they are told that the column is text.

    Args:
        file: where to.
        columns: its columns.
        rows: each with the bytes of its record.
    """
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows([_cell(row.get(column.name)) for column in columns] for row, _ in rows)
    text.flush()
    text.detach()


def write_parquet(
    file: BinaryIO, columns: Sequence[Column], rows: Iterable[tuple[Row, int]]
) -> None:
    """Write a table; vectors are lists of 32-bit floats.

    Args:
        file: where to.
        columns: its columns.
        rows: each with the bytes of its record.

    Raises:
        ExportError: pyarrow is not installed.
    """
    pa, parquet = arrow()
    types = _types(pa)
    schema = pa.schema([(column.name, types[column.type]) for column in columns])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        group: list[Row] = []
        taken = 0
        for row, size in rows:
            group.append(row)
            taken += size
            if len(group) == GROUP_ROWS or taken >= GROUP_BYTES:
                writer.write_table(_table(pa, schema, columns, group))
                group, taken = [], 0
        if group:
            writer.write_table(_table(pa, schema, columns, group))


def arrow() -> tuple[Any, Any]:
    """The package pyarrow, and its part for Parquet.

    Raises:
        ExportError: it is not installed.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise ExportError(
            "Parquet needs the package pyarrow; install it with: "
            "pip install 'triollama[parquet]', or export to .csv"
        ) from None


def _table(pa: Any, schema: Any, columns: Sequence[Column], group: Sequence[Row]) -> Any:
    arrays = [
        pa.array([column.value(row) for row in group], type=field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _types(pa: Any) -> dict[Type, Any]:
    vector = pa.list_(pa.float32())
    return {
        Type.BOOL: pa.bool_(),
        Type.INT: pa.int64(),
        Type.FLOAT: pa.float64(),
        Type.TEXT: pa.string(),
        Type.VECTOR: vector,
        Type.VECTORS: pa.list_(vector),
    }


def _cell(value: Any) -> str:
    return "" if value is None else text_of_value(value)
