"""Tables in Parquet: every type as JSON, piece by piece; and what is told of broken ones."""

import datetime as dt
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.input import parquet_records
from triollama_adapters.batch.input.filters import Filter, parse_condition
from triollama_adapters.batch.input.parquet_records import PIECE_BYTES, ROWS_AT_ONCE, ParquetRecords
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import Wanted, open_rows
from triollama_adapters.batch.input.template import parse_template
from triollama_adapters.batch.rows import Row


def write(path: Path, table: Any, **terms: Any) -> Path:
    """Make a file of that table."""
    pq.write_table(table, path, **terms)
    return path


def cut(path: Path, content: bytes) -> None:
    """Make a file of that content."""
    path.write_bytes(content)


async def read(path: Path, **terms: Any) -> list[Row]:
    """The rows of a file."""
    async with open_rows(Wanted(name=str(path), **({"plan": Plan(model="m")} | terms))) as source:
        rows: list[Row] = []
        while (some := await source.read()) is not None:
            rows += some
            assert source.size_bytes is not None
            assert 0 < source.read_bytes <= source.size_bytes
        assert source.read_bytes == source.size_bytes
        return rows


def prompts(rows: list[Row]) -> list[Any]:
    """What is asked, or what kind of row cannot be."""
    return [
        row.ask.arguments["messages"][-1]["content"]
        if row.ask is not None
        else row.error and row.error.kind
        for row in rows
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the input is."""
    return tmp_path / "in.parquet"


async def test_rows(path: Path) -> None:
    """Numbers go on over row groups; null is null, and nothing that can be asked."""
    table = pa.table({"id": [1, 2, 3], "text": ["a", None, "c"]})
    rows = await read(write(path, table, row_group_size=2))
    assert prompts(rows) == ["a", "PromptMissing", "c"]
    assert [(row.number, row.place) for row in rows] == [(0, "row 1"), (1, "row 2"), (2, "row 3")]
    assert bytes(rows[1].fields["text"]) == b"null"
    assert [row.digest for row in await read(path)] == [row.digest for row in rows]
    assert len({row.digest for row in rows}) == 3


async def test_every_type_has_a_form(path: Path) -> None:
    """Times in ISO 8601 to the microsecond, with a zone in UTC; bytes in base64; decimals whole."""
    zone = dt.timezone(dt.timedelta(hours=2))
    at = dt.datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=zone)
    inner = pa.struct([("t", pa.duration("ns")), ("u", pa.list_(pa.int8()))])
    columns = {
        "zoned": pa.array([at], pa.timestamp("ns", "Europe/Berlin")),
        "nano": pa.array([1_767_323_045_000_000_001], pa.timestamp("ns")),
        "second": pa.array([0], pa.timestamp("s")),
        "day": pa.array([dt.date(2026, 1, 2)]),
        "clock": pa.array([1_000_000_001], pa.time64("ns")),
        "long": pa.array([1_500_000_001], pa.duration("ns")),
        "price": pa.array([Decimal("1.50")], pa.decimal128(38, 2)),
        "raw": pa.array([b"\xff"]),
        "half": pa.array([float("nan")]),
        "single": pa.array([0.5], pa.float32()),
        "big": pa.array([2**64 - 1], pa.uint64()),
        "yes": pa.array([True]),
        "kind": pa.array(["x"]).dictionary_encode(),
        "tags": pa.array([["a", None]]),
        "times": pa.array([[1]], pa.list_(pa.timestamp("ns"))),
        "inner": pa.array([{"t": 1, "u": [1]}], inner),
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        "none": pa.array([None], pa.null()),
        "prompt": pa.array(["x"], pa.large_string()),
    }
    [row] = await read(write(path, pa.table(columns)))
    assert prompts([row]) == ["x"]
    told = {name: bytes(raw).decode() for name, raw in row.fields.items()}
    assert told == {
        "zoned": '"2026-01-02T01:04:05.600000Z"',
        "nano": '"2026-01-02T03:04:05"',
        "second": '"1970-01-01T00:00:00"',
        "day": '"2026-01-02"',
        "clock": '"00:00:01"',
        "long": '"PT1.5S"',
        "price": "1.50",
        "raw": '"/w=="',
        "half": "null",
        "single": "0.5",
        "big": str(2**64 - 1),
        "yes": "true",
        "kind": '"x"',
        "tags": '["a",null]',
        "times": '["1970-01-01T00:00:00"]',
        "inner": '{"t":"P0D","u":[1]}',
        "map": '{"k":1}',
        "none": "null",
        "prompt": '"x"',
    }


async def test_conditions_templates_and_bodies(path: Path) -> None:
    """A table is asked as any plain records; one with messages is made of Ollama's bodies."""
    write(path, pa.table({"n": [1, 2, 3], "text": ["a", "b", "c"]}))
    plan = Plan(model="m", template=parse_template("{n}{text}"))
    chosen = Filter(conditions=(parse_condition("n>=2"),), limit=1)
    assert prompts(await read(path, plan=plan, filter=chosen)) == ["2b"]
    say = [{"role": "user", "content": "x"}]
    write(path, pa.table({"messages": [say]}))
    assert prompts(await read(path)) == ["x"]


async def test_columns_that_there_are_not(path: Path) -> None:
    """One error before any work, not one for each row."""
    write(path, pa.table({"n": [1], "body": ["a"]}))
    for terms, told in (
        ({"filter": Filter(conditions=(parse_condition("nosuch=1"),))}, "--where names 'nosuch'"),
        ({"selected": ("n", "foo")}, "--select names 'foo'"),
        ({"plan": Plan(model="m", template=parse_template("{foo}"))}, "asked is 'foo'"),
        ({}, "asked is 'prompt'"),
    ):
        with pytest.raises(ChoiceError, match=f"{told}.*its columns are: n, body"):
            await read(path, **terms)  # type: ignore[arg-type]


def test_pieces_are_bounded(path: Path) -> None:
    """By rows, and by what they take."""
    write(path, pa.table({"n": range(3 * ROWS_AT_ONCE)}))
    reader = ParquetRecords(path, "t")
    counts = []
    while (records := reader.read()) is not None:
        counts.append(len(records))
    assert counts == [ROWS_AT_ONCE] * 3
    table = pa.table({"text": [os.urandom(PIECE_BYTES // 8).hex() for _ in range(12)]})
    write(path, table, compression="none", use_dictionary=False)
    first = ParquetRecords(path, "t").read()
    assert first is not None
    assert len(first) <= 4


async def test_broken_and_unfinished_files_are_one_line(path: Path) -> None:
    """At the opening where that can be seen, else when the damage is met."""
    table = pa.table({"text": [os.urandom(999).hex() for _ in range(99)]})
    write(path, table, row_group_size=9, compression="gzip")
    whole = path.read_bytes()  # noqa: ASYNC240 - a test
    for content in (whole[:-1], whole[: len(whole) // 2], b"PAR1", b"PAR1" + bytes(99) + b"PAR1"):
        cut(path, content)
        with pytest.raises(InputError, match=r"in.parquet is Parquet, and broken, not whole"):
            await read(path)
    cut(path, whole[:30_000] + bytes(2_000) + whole[32_000:])
    with pytest.raises(InputError, match="Parquet, and broken"):
        await read(path)


async def test_a_time_that_python_has_no_form_for_is_told_as_that(path: Path) -> None:
    """A column of the year 285,428 is not a broken file."""
    write(path, pa.table({"text": ["a"], "at": pa.array([9 * 10**18], pa.timestamp("us"))}))
    with pytest.raises(InputError, match=r"in.parquet has a date or time that is not within"):
        await read(path)


async def test_what_is_not_parquet_although_called_so(path: Path) -> None:
    """And the other way round: the bytes count."""
    cut(path, b'{"prompt": "x"}\n')
    with pytest.raises(InputError, match="is not Parquet, although it is called so"):
        await read(path)
    named = write(path.with_name("data.bin"), pa.table({"text": ["a"]}))
    assert prompts(await read(named)) == ["a"]
    with pytest.raises(ChoiceError, match="leave out --format csv"):
        await read(named, format=Format.CSV)
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 2, ["a", "a"]), path)
    with pytest.raises(InputError, match="names twice: a"):
        await read(path)


async def test_without_the_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the extra."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    write(path, pa.table({"text": ["a"]}))
    monkeypatch.setattr(parquet_records, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'triollama\[parquet\]'"):
        await read(path)


async def test_a_table_without_rows(path: Path) -> None:
    """As CSV that has its header only: there is nothing to ask, and nothing wrong."""
    write(path, pa.table({"text": pa.array([], pa.string())}))
    async with open_rows(Wanted(name=str(path), plan=Plan(model="m"))) as source:
        assert await source.read() is None


def test_values_are_not_in_what_is_told_of_a_file(path: Path) -> None:
    """Only the type of the error is."""
    cut(path, b"PAR1sesame" + bytes(40) + b"PAR1")
    with pytest.raises(InputError) as caught:
        ParquetRecords(path, "t")
    assert "sesame" not in str(caught.value)
    assert json.dumps(str(caught.value)).isascii()
