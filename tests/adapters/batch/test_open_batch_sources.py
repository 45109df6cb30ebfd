"""`open_batch` over what a program has: rows, functions that give rows, folders, Parquet."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trio

from triollama import Engine, open_engine
from triollama_adapters.batch import (
    InputChangedError,
    InputError,
    SettingsChangedError,
    open_batch,
)
from triollama_adapters.simulator import fast_config, open_fleet

pytestmark = pytest.mark.slow

URL = "http://a:11434"
ROWS = [{"id": number, "prompt": f"say {number}"} for number in range(20)]


@asynccontextmanager
async def fleet_engine() -> AsyncIterator[Engine]:
    """An engine over one simulated server."""
    async with (
        open_fleet({URL: fast_config(load_s=0.0)}) as fleet,
        open_engine(URL, transport=fleet.transport()) as engine,
    ):
        yield engine


async def numbers(source: Any, sink: Path | None, **choices: Any) -> list[int]:
    """The numbers of the rows that were answered in this run."""
    async with fleet_engine() as engine:
        async with open_batch(engine, source, sink, model="llama3.2", **choices) as batch:
            results = [result async for result in batch]
    assert all(result.answer is not None for result in results)
    return sorted(result.number for result in results)


def records(path: Path) -> list[dict[str, Any]]:
    """The records of an output, by their number."""
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    return sorted(found, key=lambda each: each["index"])


async def test_rows_of_a_program_go_on_where_they_were(tmp_path: Path) -> None:
    """If it gives the same again, and perhaps more, however it gives them."""

    async def more() -> AsyncIterator[dict[str, Any]]:
        for row in ROWS:
            await trio.lowlevel.checkpoint()
            yield dict(reversed(row.items()))

    sink = tmp_path / "out.jsonl"
    assert await numbers(ROWS[:5], sink) == [0, 1, 2, 3, 4]
    assert await numbers(lambda: iter(ROWS[:12]), sink) == list(range(5, 12))
    assert await numbers(more, sink) == list(range(12, 20))
    assert [each["id"] for each in records(sink)] == list(range(20))


async def test_other_rows_and_another_input_are_refused(tmp_path: Path) -> None:
    """As with a file."""
    sink = tmp_path / "out.jsonl"
    await numbers(["a", "b"], sink)
    with pytest.raises(InputChangedError, match="row 2 was answered with other content"):
        await numbers(["a", "c"], sink)
    (tmp_path / "in.jsonl").write_text('{"prompt": "a"}\n')
    with pytest.raises(SettingsChangedError, match=r"input: \(rows of a program\) -> "):
        await numbers(tmp_path / "in.jsonl", sink)


async def test_a_generator_that_breaks_ends_the_batch(tmp_path: Path) -> None:
    """What was answered is kept, and the rest can be done later."""

    def broken() -> Any:
        yield from ROWS
        until_s = time.monotonic() + 20
        while not (sink.exists() and sink.stat().st_size) and time.monotonic() < until_s:
            time.sleep(0.01)
        raise OSError("the database has gone")

    sink = tmp_path / "out.jsonl"
    with pytest.raises(InputError, match="ended after 20 with OSError"):
        await numbers(broken, sink)
    done = {each["index"] for each in records(sink)}
    assert done
    assert await numbers(ROWS, sink) == sorted(set(range(20)) - done)


async def test_folders_and_parquet(tmp_path: Path) -> None:
    """By their paths, as any file."""
    (tmp_path / "texts").mkdir()
    for name in "ab":
        (tmp_path / "texts" / name).write_text(f"text {name}")
    sink = tmp_path / "of-texts.jsonl"
    assert await numbers(tmp_path / "texts", sink, prompt="Summarise: {text}") == [0, 1]
    assert [(each["name"], each["text"]) for each in records(sink)] == [
        ("a", "text a"),
        ("b", "text b"),
    ]
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "in.parquet")
    sink = tmp_path / "of-parquet.jsonl"
    assert await numbers(tmp_path / "in.parquet", sink, where=["id>=15"]) == list(range(15, 20))
    assert [each["id"] for each in records(sink)] == list(range(15, 20))
