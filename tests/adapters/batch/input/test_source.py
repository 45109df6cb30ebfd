"""The rows of an input: numbers, digests, formats, bad rows, and what is packed."""

import gzip
import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.input.filters import Filter, parse_condition, parse_shard
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import ROWS_AT_ONCE, RowSource, Wanted, open_rows
from triollama_adapters.batch.rows import Row

PLAN = Plan(model="m")
TWENTY = b"".join(b'{"prompt": "p%d", "n": %d}\n' % (n, n) for n in range(20))


def write(path: Path, content: bytes) -> int:
    """Make a file of that content."""
    return path.write_bytes(content)


async def read_all(source: RowSource) -> list[Row]:
    """All rows of a source."""
    rows: list[Row] = []
    while (some := await source.read()) is not None:
        rows += some
    return rows


async def read(path: Path, content: bytes, **wanted: Any) -> list[Row]:
    """The rows of a file of that content."""
    write(path, content)
    async with open_rows(Wanted(name=str(path), **({"plan": PLAN} | wanted))) as source:
        return await read_all(source)


def prompts(rows: list[Row]) -> list[str | None]:
    """What is asked, None for a bad row."""
    return [
        None if row.ask is None else row.ask.arguments["messages"][-1]["content"] for row in rows
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the input is."""
    return tmp_path / "in.jsonl"


async def test_lines_become_rows(path: Path) -> None:
    """Each has its number, its digest, its place, its size and its fields."""
    [row] = await read(path, b'\n  \n{"prompt": "Why?", "id": 7}')
    line = b'{"prompt": "Why?", "id": 7}'
    assert (row.number, row.place, row.size_bytes) == (2, "line 3", len(line))
    assert row.digest == blake2b(line, digest_size=16).digest()
    assert {name: bytes(raw) for name, raw in row.fields.items()} == {
        "prompt": b'"Why?"',
        "id": b"7",
    }
    assert row.error is None
    assert prompts([row]) == ["Why?"]
    assert "Why" not in repr(row)


async def test_a_long_file_is_given_bit_by_bit(path: Path) -> None:
    """So that parsing never holds up the loop; nothing is lost, and progress ends at the end."""
    count = 5_000
    size_bytes = write(path, b"".join(b'{"prompt": "%d"}\n' % n for n in range(count)))
    async with open_rows(Wanted(name=str(path), plan=PLAN)) as source:
        rows: list[Row] = []
        while (some := await source.read()) is not None:
            assert len(some) <= ROWS_AT_ONCE
            rows += some
        assert source.read_bytes == source.size_bytes == size_bytes
    assert [row.number for row in rows] == list(range(count))
    assert prompts(rows) == [str(n) for n in range(count)]


async def test_bad_lines_are_rows_too(path: Path) -> None:
    """With kind and place; the first good line tells what the file is."""
    content = b'not json\n\xff\n[1]\n{"prompt": "x"}\n{"id": 1}\n{"custom_id": "c", "body": {}}\n'
    rows = await read(path, content)
    assert prompts(rows) == [None, None, None, "x", None, None]
    kinds = [row.error.kind for row in rows if row.error is not None]
    expected = ["LineNotJson", "LineNotUtf8", "LineNotAnObject", "PromptMissing", "FormatDiffers"]
    assert kinds == expected
    assert all(row.error is None or row.error.message.startswith(row.place) for row in rows)
    assert len({row.digest for row in rows}) == 6


async def test_a_last_line_that_is_cut_off_is_told_apart(path: Path) -> None:
    """Its writer may not be done; what is whole is asked, also without a line end."""
    for last in (b'{"prompt": "y', b'{"prompt": "\xc3', b"12"):
        row = (await read(path, b'{"prompt": "x"}\n' + last))[-1]
        assert row.error is not None
        assert row.error.kind == "LineTorn"
    assert prompts(await read(path, b'{"prompt": "x"}\n{"prompt": "y"}')) == ["x", "y"]


async def test_a_line_over_the_limit_is_a_row_too(path: Path) -> None:
    """It is not kept, and the next one is asked."""
    rows = await read(path, b'{"prompt": "' + b"x" * 5_000_000 + b'"}\n{"prompt": "y"}\n')
    assert rows[0].error is not None
    assert rows[0].error.kind == "LineTooLong"
    assert prompts(rows) == [None, "y"]


async def test_the_first_record_tells_the_format(path: Path) -> None:
    """OpenAI's lines, Ollama's bodies, or any records; --format goes before it."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    line = {"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": body}
    for row, found in ((line, Format.OPENAI), (body, Format.OLLAMA), ({"text": "x"}, Format.PLAIN)):
        write(path, json.dumps(row).encode())
        async with open_rows(Wanted(name=str(path), plan=PLAN)) as source:
            assert source.requests is None
            assert prompts(await read_all(source)) == ["x"]
            assert source.requests is not None
            assert source.requests.format is found
    [made] = await read(path, json.dumps(body).encode(), format=Format.OPENAI)
    assert made.error is not None
    assert made.error.kind == "FormatDiffers"


async def test_a_bad_line_of_openai_keeps_its_name(path: Path) -> None:
    """Its error must be found by it."""
    [row] = await read(path, b'{"custom_id": "c", "url": "/v1/none", "body": {}}')
    assert (row.ask, row.custom_id) == (None, "c")


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data])
async def test_packed_and_plain_give_the_same(path: Path, pack: Any) -> None:
    """Rows, numbers and digests are those of what is in it."""
    assert await read(path, pack(TWENTY)) == await read(path, TWENTY)


async def test_a_filter_leaves_rows_out(path: Path) -> None:
    """Shard, sample, condition and limit, in this order; numbers stay those of the file."""

    async def numbers(**terms: Any) -> list[int]:
        return [row.number for row in await read(path, TWENTY, filter=Filter(**terms))]

    shards = [await numbers(shard=parse_shard(f"{k}/3")) for k in (1, 2, 3)]
    assert shards == [list(range(k, 20, 3)) for k in range(3)]
    condition = parse_condition("n>=5")
    assert await numbers(conditions=(condition,), limit=2) == [5, 6]
    assert await numbers(conditions=(condition,), limit=2, shard=(1, 3)) == [7, 10]
    sample = await numbers(sample=0.3)
    assert sample == await numbers(sample=0.3)
    assert 0 < len(sample) < 20
    assert set(sample) <= set(await numbers(sample=0.6))


async def test_bad_rows_pass_a_condition(path: Path) -> None:
    """Nobody knows whether they fulfil it, and they are not to be lost."""
    rows = await read(path, b"bad\n" + TWENTY, filter=Filter(conditions=(parse_condition("n=3"),)))
    assert [row.number for row in rows] == [0, 4]


async def test_a_limit_ends_the_reading() -> None:
    """What a pipe would give after it is not waited for."""
    read_fd, write_fd = os.pipe()
    os.write(write_fd, TWENTY)
    async with open_rows(
        Wanted(name=f"/dev/fd/{read_fd}", plan=PLAN, filter=Filter(limit=3))
    ) as source:
        with trio.fail_after(5):
            assert len(await read_all(source)) == 3
    os.close(read_fd)
    os.close(write_fd)


async def test_waiting_for_a_pipe_can_be_cancelled() -> None:
    """Ctrl-C does not wait for the next line."""
    read_fd, write_fd = os.pipe()
    async with open_rows(Wanted(name=f"/dev/fd/{read_fd}", plan=PLAN)) as source:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.read)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        os.close(write_fd)
    os.close(read_fd)


async def test_reading_is_a_checkpoint_each_time(path: Path) -> None:
    """Also when rows are at hand."""
    write(path, b'{"prompt": "x"}\n' * (ROWS_AT_ONCE * 2))
    async with open_rows(Wanted(name=str(path), plan=PLAN)) as source:
        for _ in range(2):
            with trio.testing.assert_checkpoints():
                await source.read()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        ("{}".encode("utf-16"), "UTF-16.*iconv"),
        (b"PK\x03\x04", "zip"),
        (b"PAR1", "Parquet, and broken"),
    ],
)
async def test_what_is_no_input_is_told_before_any_work(
    path: Path, content: bytes, words: str
) -> None:
    """The message names the file and what to do."""
    write(path, content)
    with pytest.raises(InputError, match=f"in.jsonl.*{words}"):
        async with open_rows(Wanted(name=str(path), plan=PLAN)):
            pytest.fail("opened")


async def test_a_missing_file_and_an_empty_folder_are_told_apart(tmp_path: Path) -> None:
    """As everywhere."""
    for name, words in (("none", "No such file"), (".", "is a folder without files")):
        with pytest.raises(InputError, match=words):
            async with open_rows(Wanted(name=str(tmp_path / name), plan=PLAN)):
                pytest.fail("opened")
