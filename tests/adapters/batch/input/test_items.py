"""Rows of a program: any iterable, in one thread; any asynchronous one, in one task."""

import datetime as dt
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import trio

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.input.filters import Filter, parse_condition
from triollama_adapters.batch.input.items import ITEMS_AHEAD_MAX
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import (
    OF_A_PROGRAM,
    RowSource,
    Source,
    Wanted,
    name_of,
    open_rows,
    open_source,
)
from triollama_adapters.batch.rows import Row

WANTED = Wanted(name=OF_A_PROGRAM, plan=Plan(model="m"))


async def read_all(source: RowSource) -> list[Row]:
    """All rows of a source."""
    rows: list[Row] = []
    while (some := await source.read()) is not None:
        rows += some
    return rows


async def read(items: Source, wanted: Wanted = WANTED) -> list[Row]:
    """All rows of a program's."""
    async with open_source(items, wanted) as source:
        return await read_all(source)


def prompts(rows: list[Row]) -> list[Any]:
    """What is asked, or what kind of row cannot be."""
    return [
        row.ask.arguments["messages"][-1]["content"]
        if row.ask is not None
        else row.error and row.error.kind
        for row in rows
    ]


async def several(count: int = 3) -> AsyncIterator[str]:
    """Prompts, asynchronously."""
    for number in range(count):
        await trio.lowlevel.checkpoint()
        yield f"p{number}"


class Objects:
    """An asynchronous iterable that is no generator."""

    def __aiter__(self) -> AsyncIterator[str]:
        return several()


PROMPTS = ["p0", "p1", "p2"]


@pytest.mark.parametrize(
    "items",
    [
        PROMPTS,
        tuple(PROMPTS),
        deque(PROMPTS),
        dict.fromkeys(PROMPTS).keys(),
        lambda: iter(PROMPTS),
        lambda: PROMPTS,
        several,
        lambda: aiter(Objects()),
        Objects(),
        Objects,
    ],
)
async def test_all_kinds_give_the_same(items: Source) -> None:
    """Iterables, asynchronous ones, and functions that give one."""
    rows = await read(items)
    assert prompts(rows) == PROMPTS
    assert [row.number for row in rows] == [0, 1, 2]
    assert [row.place for row in rows] == ["row 1", "row 2", "row 3"]
    assert rows == await read(iter(PROMPTS))
    assert await read(several()) == rows


async def test_the_digest_is_of_the_content() -> None:
    """However the keys are ordered, so that a batch goes on; a text is the field prompt."""
    one, two, other = await read([{"prompt": "x", "n": 1}, {"n": 1, "prompt": "x"}, {"prompt": 1}])
    assert one.digest == two.digest != other.digest
    assert list(one.fields) == ["prompt", "n"]
    [text], [mapping] = await read(["x"]), await read([{"prompt": "x"}])
    assert text == mapping
    assert len(text.digest) == 16


async def test_rows_may_have_any_format_of_a_file() -> None:
    """OpenAI's lines and Ollama's bodies; a mix is told."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    line = {"custom_id": "c", "url": "/v1/chat/completions", "body": body}
    [row] = await read([line])
    assert (row.custom_id, prompts([row])) == ("c", ["x"])
    assert prompts(await read([MappingProxyType(body), line])) == ["x", "FormatDiffers"]
    plan = Plan(model="m")
    assert prompts(await read([line], Wanted(name="x", plan=plan, format=Format.PLAIN))) == [
        "FormatDiffers"
    ]
    with pytest.raises(ChoiceError, match="no CSV"):
        await read([line], Wanted(name="x", plan=plan, format=Format.CSV))


async def test_values_that_json_does_not_have() -> None:
    """Times in ISO 8601, bytes in base64, decimals with their digits, NaN as null."""
    at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    row = {"a": at, "b": b"\xff", "c": Decimal("1.50"), "d": float("nan"), "e": {1}, "f": 2**70}
    [made] = await read([row | {"prompt": "x", "g": MappingProxyType({"h": 1})}])
    told = {name: bytes(raw).decode() for name, raw in made.fields.items()}
    assert told == {
        "a": '"2026-01-02T03:04:05Z"',
        "b": '"/w=="',
        "c": "1.50",
        "d": "null",
        "e": "[1]",
        "f": str(2**70),
        "prompt": '"x"',
        "g": '{"h":1}',
    }


async def test_what_is_no_row_is_told_as_one() -> None:
    """The others are asked."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    bad = [7, None, {"p": object()}, {3: "x"}, {"p": "\ud800"}, {"p": Decimal("nan")}, {"p": deep}]
    rows = await read([*bad, "x", {"prompt": "y" * 5_000_000}])
    assert prompts(rows) == ["RowNotUsable"] * 7 + ["x", "LineTooLong"]
    assert rows[0].error is not None
    assert rows[0].error.message == "row 1 is not usable: a int is neither a text nor a mapping"


@pytest.mark.parametrize("items", [{"a": 1}, b"abc", 7, None])
async def test_what_is_no_input_is_refused(items: Any) -> None:
    """A mapping is one row, and no list of rows."""
    with pytest.raises(ChoiceError, match="is no input"):
        name_of(items)
    with pytest.raises(ChoiceError, match="is no input"):
        await read(items)


def test_names_are_stable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are stored with a batch, and compared when it goes on."""
    monkeypatch.chdir(tmp_path)
    assert name_of("a.jsonl") == name_of(Path("a.jsonl")) == str(tmp_path / "a.jsonl")
    assert name_of("-") == "-"
    assert name_of([]) == name_of(several) == OF_A_PROGRAM


async def test_a_program_s_rows_cannot_be_opened_by_name() -> None:
    """Whoever resumes by the output's name is told what to do."""
    with pytest.raises(InputError, match="run that again"):
        async with open_rows(WANTED):
            pytest.fail("opened")


async def test_one_thread_iterates() -> None:
    """So that what belongs to its thread can be used: the whole of it, closing included."""

    def rows() -> Iterator[str]:
        ids.append(threading.get_ident())
        with sqlite3.connect(":memory:") as database:
            for (number,) in database.execute("values (1), (2), (3)"):
                ids.append(threading.get_ident())
                yield str(number)
        ids.append(threading.get_ident())

    ids: list[int] = []
    assert prompts(await read(rows)) == ["1", "2", "3"]
    assert len(ids) == 5
    assert set(ids) != {threading.get_ident()}
    assert len(set(ids)) == 1


async def test_memory_is_bounded() -> None:
    """An endless input is taken only so far ahead of what is read."""
    taken = 0

    def forever() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "x"

    async def endless() -> AsyncIterator[str]:
        for each in forever():
            yield each

    for items in (forever(), endless()):
        taken = 0
        async with open_source(items, WANTED) as source:
            rows = await source.read()
            await trio.sleep(0.02)
            assert rows
            assert taken <= len(rows) + 2 * ITEMS_AHEAD_MAX + 2


async def test_a_row_is_given_while_the_next_one_is_waited_for() -> None:
    """An iterator that blocks holds up neither the loop nor what it gave before."""
    go_on = threading.Event()

    def slow() -> Iterator[str]:
        yield "first"
        go_on.wait(10)
        yield "second"

    async with open_source(slow(), WANTED) as source:
        with trio.fail_after(5):
            rows: list[Row] = []
            while not rows:
                rows = await source.read() or []
        assert prompts(rows) == ["first"]
        go_on.set()
        assert prompts(await read_all(source)) == ["second"]


async def test_leaving_early_does_not_wait_for_a_row() -> None:
    """A thread in `next` is left behind; it ends when that returns, and closes the iterator."""
    go_on, is_closed = threading.Event(), threading.Event()

    def stuck() -> Iterator[str]:
        try:
            yield "first"
            go_on.wait(10)
            yield "second"
        finally:
            is_closed.set()

    with trio.fail_after(5), pytest.raises(ValueError, match="mine"):
        async with open_source(stuck(), WANTED) as source:
            await source.read()
            raise ValueError("mine")
    go_on.set()
    assert await trio.to_thread.run_sync(is_closed.wait, 5)


async def test_a_limit_takes_no_more_than_it_needs() -> None:
    """The rest is not waited for."""
    wanted = Wanted(name="x", plan=Plan(model="m"), filter=Filter(limit=2))
    assert prompts(await read((str(n) for n in range(10**9)), wanted)) == ["0", "1"]


async def test_what_the_iterator_raises_ends_the_input() -> None:
    """After the rows before it; the cause is kept, and its text is not in the message."""

    def broken() -> Iterator[str]:
        yield "x"
        raise KeyError("secret")

    async def async_broken() -> AsyncIterator[str]:
        yield "x"
        raise KeyError("secret")

    def none() -> Iterator[str]:
        raise KeyError("secret")

    for items, count in ((broken(), 1), (async_broken(), 1), (none, 0)):
        async with open_source(items, WANTED) as source:
            rows: list[Row] = []
            with pytest.raises(InputError, match=f"ended after {count} with KeyError$") as caught:
                while True:
                    rows += await source.read() or []
            assert len(rows) == count
            assert isinstance(caught.value.__cause__, KeyError)


async def test_an_asynchronous_generator_stays_in_one_task() -> None:
    """Whoever reads, it may hold cancel scopes; it is closed at the end."""
    is_closed = False

    async def scoped() -> AsyncIterator[str]:
        nonlocal is_closed
        try:
            with trio.CancelScope():
                while True:
                    yield "x"
        finally:
            await trio.lowlevel.checkpoint()
            is_closed = True

    async with open_source(scoped, WANTED) as source:
        await source.look()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.read)
    assert is_closed


async def test_reading_can_be_cancelled() -> None:
    """While nothing comes."""

    async def never() -> AsyncIterator[str]:
        await trio.sleep_forever()
        yield "x"

    async with open_source(never, WANTED) as source:
        with trio.move_on_after(0.01) as scope:
            await source.read()
        assert scope.cancelled_caught


async def test_rows_that_nobody_has_named_so() -> None:
    """What no row has is told at the end, and not before there was one."""
    conditions = (parse_condition("nosuch!=1"), parse_condition("n=1"))
    wanted = Wanted(
        name="x", plan=Plan(model="m"), filter=Filter(conditions=conditions), selected=("none",)
    )
    async with open_source([{"prompt": "x", "n": 1}, "y"], wanted) as source:
        assert source.unseen == []
        assert prompts(await read_all(source)) == ["x"]
        assert source.unseen == ["none", "nosuch"]
