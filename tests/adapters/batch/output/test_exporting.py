"""The answers of a batch as tables and matrices, whole or not at all."""

from __future__ import annotations

import base64
import csv
import json
import random
import struct
import tracemalloc
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import trio
import trio.lowlevel
from pyarrow import parquet
from tests.adapters.batch.ledger.ledgers import SETTINGS

from triollama_adapters.batch import ExportProgress, export_answers
from triollama_adapters.batch.errors import ExportError
from triollama_adapters.batch.ledger.ledger import Entry, open_ledger
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.output import exporting
from triollama_adapters.batch.output.answers_file import AnswersFile
from triollama_adapters.batch.output.columns_found import Columns, Type
from triollama_adapters.batch.output.flattening import flat_record
from triollama_adapters.batch.output.sorting import in_order

USAGE = {"prompt_tokens": 3, "output_tokens": 4}
RECORDS: list[dict[str, Any]] = [
    {"index": 2, "id": "c", "content": 'zwei\n"2", ä', "usage": USAGE, "n": 1},
    {"index": 0, "id": "a", "content": "null", "usage": USAGE, "n": 2.5, "mixed": "x"},
    {"index": 1, "id": None, "content": "", "usage": USAGE, "tags": ["x", 1], "mixed": 3},
]


def write(path: Path, records: Sequence[Any], rest: str = "") -> Path:
    """An output with these records."""
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records) + rest)
    return path


def entry(number: int, *, is_failed: bool = False, **more: Any) -> Entry:
    """One outcome."""
    record = {"index": number, "content": f"answer {number}", **more}
    line = json.dumps(record).encode() + b"\n"
    return Entry(number, bytes(16), line, "Broken" if is_failed else None)


def names_in(folder: Path) -> list[str]:
    """What is there."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """An output without a journal."""
    return write(tmp_path / "out.jsonl", RECORDS)


async def test_a_table_of_csv(answers: Path, tmp_path: Path) -> None:
    """In the order of the answers; what is missing is empty, lists are JSON."""
    progress = await export_answers(answers, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        names, *rows = csv.reader(file)
    assert names == [
        *("index", "id", "content", "usage.prompt_tokens", "usage.output_tokens", "n"),
        *("mixed", "tags"),
    ]
    assert rows[0] == ["2", "c", 'zwei\n"2", ä', "3", "4", "1", "", ""]
    assert rows[2] == ["1", "", "", "3", "4", "", "3", '["x",1]']
    assert (progress.rows, progress.read_bytes) == (3, progress.size_bytes)
    assert names_in(tmp_path) == ["out.jsonl", "t.csv"]


async def test_a_table_of_parquet(answers: Path, tmp_path: Path) -> None:
    """With types that were found by looking at all rows."""
    await export_answers(answers, tmp_path / "t.parquet", is_sorted=True)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "index": "int64",
        "id": "string",
        "content": "string",
        "usage.prompt_tokens": "int64",
        "usage.output_tokens": "int64",
        "n": "double",
        "mixed": "string",
        "tags": "string",
    }
    assert table["index"].to_pylist() == [0, 1, 2]
    assert table["id"].to_pylist() == ["a", None, "c"]
    assert table["n"].to_pylist() == [2.5, None, 1.0]
    assert table["mixed"].to_pylist() == ["x", "3", None]


async def test_columns_are_chosen(answers: Path, tmp_path: Path) -> None:
    """The index stays; what an answer may have and none has is there and empty."""
    await export_answers(answers, tmp_path / "t.csv", select=["id", "tool_calls"], is_sorted=True)
    assert (tmp_path / "t.csv").read_text() == "index,id,tool_calls\n0,a,\n1,,\n2,c,\n"
    with pytest.raises(ExportError, match="--select names 'nope', which no record has; there are:"):
        await export_answers(answers, tmp_path / "n.csv", select=["id", "nope"])
    assert not (tmp_path / "n.csv").exists()


@pytest.mark.parametrize("count", [1, 2])
async def test_vectors_in_parquet(tmp_path: Path, count: int) -> None:
    """One of a row is a list of numbers, several are a list of them."""
    vectors = [[0.5, 0.25], [1.0, 0.0]]
    answers = write(
        tmp_path / "out.jsonl", [{"index": at, "embeddings": vectors[:count]} for at in range(3)]
    )
    await export_answers(answers, tmp_path / "t.parquet")
    column = parquet.read_table(tmp_path / "t.parquet")["embeddings"]
    inner = pa.list_(pa.float32())
    assert column.type == (inner if count == 1 else pa.list_(inner))
    assert column.to_pylist()[0] == (vectors[0] if count == 1 else vectors)


def matrix_of(path: Path) -> tuple[tuple[int, int], list[float]]:
    """What NumPy would read."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (length,) = struct.unpack("<H", data[8:10])
    assert (10 + length) % 64 == 0
    header = data[10 : 10 + length].decode()
    assert header.endswith("\n")
    assert header.startswith("{'descr': '<f4', 'fortran_order': False, 'shape': (")
    shape = header[header.index("(") + 1 : header.index(")")].split(", ")
    numbers = array("f")
    numbers.frombytes(data[10 + length :])
    return (int(shape[0]), int(shape[1])), numbers.tolist()


async def test_vectors_are_a_matrix(tmp_path: Path) -> None:
    """In the order of the input, with a file that says whose each row is."""
    packed = base64.b64encode(struct.pack("<2f", 0.5, 0.25)).decode()
    body = {"data": [{"embedding": packed, "index": 0}, {"embedding": [1.0, 0.0], "index": 1}]}
    response = {"status_code": 200, "body": body}
    openai = {"index": 4, "custom_id": "mine", "response": response, "error": None}
    answers = write(tmp_path / "out.jsonl", [openai, {"index": 1, "embeddings": [[0.0, 2.0]]}])
    await export_answers(answers, tmp_path / "v.npy")
    assert matrix_of(tmp_path / "v.npy") == ((3, 2), [0.0, 2.0, 0.5, 0.25, 1.0, 0.0])
    assert (tmp_path / "v.index.csv").read_text() == (
        "vector,index,place,custom_id\n0,1,0,\n1,4,0,mine\n2,4,1,mine\n"
    )


async def test_no_answers_are_an_empty_table(tmp_path: Path) -> None:
    """Which can be opened as any other."""
    answers = write(tmp_path / "out.jsonl", [])
    for name in ("t.csv", "t.parquet", "v.npy"):
        await export_answers(answers, tmp_path / name)
    assert (tmp_path / "t.csv").read_text() == "index\n"
    assert parquet.read_table(tmp_path / "t.parquet").num_rows == 0
    assert matrix_of(tmp_path / "v.npy") == ((0, 0), [])


async def test_what_is_acknowledged_is_exported(tmp_path: Path) -> None:
    """While a job runs; what may still be cut off is not, be it whole lines."""
    answers = tmp_path / "out.jsonl"
    async with open_ledger(answers, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry(1), entry(0), entry(2, is_failed=True)])
        with answers.open("ab") as file:
            file.write(entry(3).record + entry(4).record[:9])
        await export_answers(answers, tmp_path / "t.csv")
        await export_answers(Paths(answers).errors, tmp_path / "e.csv")
        with answers.open("rb+") as file:
            file.truncate(len(entry(1).record + entry(0).record))
    assert (tmp_path / "t.csv").read_text() == "index,content\n1,answer 1\n0,answer 0\n"
    assert (tmp_path / "e.csv").read_text() == "index,content\n2,answer 2\n"


async def test_without_a_journal_whole_lines_count(tmp_path: Path) -> None:
    """A torn one is left out, however long it is."""
    answers = write(tmp_path / "out.jsonl", RECORDS, rest='{"index": 3, "x": "' + "y" * 3_000_000)
    progress = await export_answers(answers, tmp_path / "t.csv")
    assert progress.rows == 3
    assert AnswersFile.open(write(tmp_path / "torn.jsonl", [], rest="{")).size_bytes == 0


async def test_a_file_is_there_whole_or_not_at_all(
    answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stood there before stays until the end, and after an error."""
    output = tmp_path / "t.csv"
    output.write_text("before")
    with pytest.raises(ExportError, match="exists; take another name"):
        await export_answers(answers, output)
    seen = []
    real = exporting.write_csv

    def write_csv(*arguments: Any) -> None:
        real(*arguments)
        seen.append(output.read_text())
        raise ExportError("halfway")

    monkeypatch.setattr(exporting, "write_csv", write_csv)
    with pytest.raises(ExportError, match="halfway"):
        await export_answers(answers, output, force=True)
    assert seen == ["before"]
    assert output.read_text() == "before"
    monkeypatch.setattr(exporting, "write_csv", real)
    await export_answers(answers, output, force=True)
    assert output.read_text().startswith("index,")
    assert names_in(tmp_path) == ["out.jsonl", "t.csv"]


@pytest.mark.slow
async def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    """It ends within a block."""
    answers = write(tmp_path / "out.jsonl", [RECORDS[0] | {"index": at} for at in range(40_000)])
    with trio.CancelScope() as scope:
        scope.cancel()
        await export_answers(answers, tmp_path / "t.csv")
    progress = ExportProgress()
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await export_answers(answers, tmp_path / "t.parquet", progress=progress)

        nursery.start_soon(run)
        while not progress.read_bytes:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert progress.read_bytes < progress.size_bytes
    assert names_in(tmp_path) == ["out.jsonl"]


@pytest.mark.parametrize(
    ("records", "name", "told"),
    [
        ([[1]], "t.csv", "a line of the output is no record"),
        ([{"content": "x"}], "v.npy", "has no index"),
        ([{"index": 3, "content": "x"}], "v.npy", "row 3 has no embeddings"),
        ([{"index": 0, "embeddings": ["x"]}], "v.npy", "row 0 has an embedding that is no list"),
        (
            [{"index": 0, "embeddings": [[1.0]]}, {"index": 1, "embeddings": [[1.0, 2.0]]}],
            "v.npy",
            "row 1 has an embedding of 2 numbers, and those before have 1",
        ),
        ([{f"x{at}": 1 for at in range(2_001)}], "t.csv", "choose with --select"),
        ([], "t.xlsx", "told by its name: .parquet, .csv, .npy"),
        ([], "none/t.csv", "cannot write"),
    ],
)
async def test_what_cannot_be_exported_is_told(
    tmp_path: Path, records: list[Any], name: str, told: str
) -> None:
    """And nothing is left."""
    answers = write(tmp_path / "out.jsonl", records)
    with pytest.raises(ExportError, match=told):
        await export_answers(answers, tmp_path / name)
    assert names_in(tmp_path) == ["out.jsonl"]


async def test_a_batch_is_never_written_over(tmp_path: Path) -> None:
    """Not even by force."""
    answers = write(tmp_path / "out.csv", RECORDS)
    with pytest.raises(ExportError, match="belongs to the batch itself"):
        await export_answers(answers, answers, force=True)
    with pytest.raises(ExportError, match=r"cannot read .*missing"):
        await export_answers(tmp_path / "missing.jsonl", tmp_path / "t.csv")
    with pytest.raises(ExportError, match="is no file"):
        await export_answers(tmp_path, tmp_path / "t.csv")


async def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    """It came through from the input, and no table can hold it."""
    answers = tmp_path / "out.jsonl"
    answers.write_text('{"index": 0, "theirs": "a\\ud800b"}\n')
    await export_answers(answers, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "index,theirs\n0,a?b\n"


@pytest.mark.parametrize("run_bytes", [1, 50, 10**6])
def test_sorting_in_parts(tmp_path: Path, run_bytes: int) -> None:
    """Whatever fits into memory, the order is that of the input."""
    numbers = list(range(200))
    random.Random(1).shuffle(numbers)
    lines = [json.dumps({"index": number}).encode() for number in numbers]
    found = [
        json.loads(line)["index"] for line in in_order(lines, 0, tmp_path, run_bytes=run_bytes)
    ]
    assert found == list(range(200))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when they are sorted: four times as many take no more."""
    monkeypatch.setattr(in_order, "__kwdefaults__", {"run_bytes": 1 << 20})
    peaks = []
    for count in (10_000, 40_000):
        records = [{"index": count - at, "content": "x" * 200} for at in range(count)]
        answers = write(tmp_path / f"{count}.jsonl", records)
        tracemalloc.start()
        await export_answers(answers, tmp_path / f"{count}.csv", is_sorted=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] < 12 << 20


def test_openai_records_become_flat_ones() -> None:
    """With the names that ours have; what a server refused is an error."""
    body = {
        "model": "m",
        "choices": [{"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"}],
        "usage": {"total_tokens": 7},
    }
    record = {"id": "x", "index": 1, "custom_id": "c", "error": None, "vote": {"share": 1.0}}
    assert flat_record(record | {"response": {"status_code": 200, "body": body}}) == {
        "index": 1,
        "custom_id": "c",
        "status_code": 200,
        "model": "m",
        "content": "yes",
        "done_reason": "stop",
        "usage.total_tokens": 7,
        "vote.share": 1.0,
    }
    refused = {"status_code": 400, "body": {"error": {"message": "no", "code": "Refused"}}}
    row = flat_record(record | {"response": refused})
    assert (row["error.message"], row["status_code"]) == ("no", 400)
    row = flat_record(record | {"response": None, "error": {"code": "Broken", "message": "cut"}})
    assert row["error.code"] == "Broken"


def test_types_are_found_by_looking_at_all() -> None:
    """What does not fit together becomes text, and so do numbers of any size."""
    columns = Columns()
    for value in (1, None, 2**70):
        columns.add({"big": value, "flag": None if value is None else True, "both": value or True})
    found = {column.name: column for column in columns.chosen()}
    assert {name: column.type for name, column in found.items()} == {
        "index": Type.TEXT,
        "big": Type.TEXT,
        "flag": Type.BOOL,
        "both": Type.TEXT,
    }
    assert found["big"].value({"big": 2**70}) == str(2**70)
    assert found["both"].value({"both": True}) == "true"
