"""A real file in each format (plain, OpenAI, Ollama, CSV) asks the same."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.input.filters import Filter
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import Wanted, open_rows
from triollama_adapters.batch.input.template import parse_template
from triollama_adapters.batch.rows import Row

QUESTIONS = Path(__file__).parents[5] / "shared/data/gsm8k_test.jsonl"
PLAN = Plan(model="m", template=parse_template("Solve: {question}"))

pytestmark = pytest.mark.skipif(not QUESTIONS.exists(), reason="needs ../shared/data")


@pytest.fixture(scope="module")
def records() -> list[dict[str, str]]:
    """What is in the file."""
    return [json.loads(line) for line in QUESTIONS.read_bytes().splitlines()]


def write(path: Path, content: bytes) -> None:
    """Make a file of that content."""
    path.write_bytes(content)


async def read(path: Path, content: bytes, **wanted: Any) -> list[Row]:
    """The rows of a file of that content."""
    write(path, content)
    rows: list[Row] = []
    async with open_rows(Wanted(name=str(path), plan=PLAN, **wanted)) as source:
        while (some := await source.read()) is not None:
            rows += some
    return rows


def openai(records: list[dict[str, str]]) -> bytes:
    """OpenAI's lines of the same questions."""
    return b"".join(
        json.dumps(
            {
                "custom_id": f"q{at}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": "m", "messages": [said(record)], "temperature": 0},
            }
        ).encode()
        + b"\n"
        for at, record in enumerate(records)
    )


def said(record: dict[str, str]) -> dict[str, str]:
    """The message that asks a question."""
    return {"role": "user", "content": f"Solve: {record['question']}"}


def table(records: list[dict[str, str]]) -> bytes:
    """The same as a table; the answers have line feeds in them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["answer", "question"])
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


async def test_four_formats_ask_the_same(tmp_path: Path, records: list[dict[str, str]]) -> None:
    """All 1,319 questions, in order, with the same numbers."""
    plain = await read(tmp_path / "in.jsonl", QUESTIONS.read_bytes())
    assert len(plain) == len(records) == 1319
    asks = [{"model": "m", "messages": [said(record)]} for record in records]
    assert [row.number for row in plain] == list(range(1319))
    assert [row.ask.arguments for row in plain if row.ask] == asks
    assert len({row.digest for row in plain}) == 1319

    rows = await read(tmp_path / "in.csv", table(records))
    assert [row.ask and row.ask.arguments for row in rows] == asks
    packed = gzip.compress(table(records))
    rows = await read(tmp_path / "in.csv.gz", packed)
    assert [row.ask and row.ask.arguments for row in rows] == asks

    lines = openai(records)
    rows = await read(tmp_path / "openai.jsonl", lines, format=Format.OPENAI)
    options = {"temperature": 0.0, "top_p": 1.0}
    assert [row.ask and row.ask.arguments for row in rows] == [
        {**ask, "options": options} for ask in asks
    ]
    assert [row.custom_id for row in rows] == [f"q{at}" for at in range(1319)]

    bodies = b"\n".join(json.dumps(ask).encode() for ask in asks)
    rows = await read(tmp_path / "ollama.jsonl", bodies, format=Format.OLLAMA)
    assert [row.ask and row.ask.arguments for row in rows] == asks


async def test_shards_are_the_whole(tmp_path: Path) -> None:
    """Each row is in one of eight shards."""
    content = QUESTIONS.read_bytes()
    numbers: list[int] = []
    for place in range(8):
        rows = await read(tmp_path / "in.jsonl", content, filter=Filter(shard=(place, 8)))
        numbers += [row.number for row in rows]
    assert sorted(numbers) == list(range(1319))


async def test_fields_are_carried(tmp_path: Path, records: list[dict[str, str]]) -> None:
    """Both of each record, from either kind of file."""
    for name, content in (("in.jsonl", QUESTIONS.read_bytes()), ("in.csv", table(records))):
        rows = await read(tmp_path / name, content)
        carried = [{key: json.loads(bytes(raw)) for key, raw in row.fields.items()} for row in rows]
        assert carried == records
        assert all(row.error is None for row in rows)
