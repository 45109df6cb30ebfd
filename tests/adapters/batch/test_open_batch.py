"""`open_batch`: a job as an asynchronous iterator, over an engine that answers from memory."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

import triollama_adapters.batch
from triollama import DeadlineExceededError, InvalidRequestError, Timing, open_engine
from triollama.api import ChatFold, ChatResponse, decode_chat_chunk
from triollama_adapters.batch import (
    Batch,
    BatchError,
    ChoiceError,
    FirstFailureError,
    InputChangedError,
    InputError,
    LedgerError,
    Limits,
    OutputBusyError,
    OutputExistsError,
    Result,
    SettingsChangedError,
    batch,
    open_batch,
)
from triollama_adapters.batch.ledger.ledger import read_state
from triollama_adapters.batch.work import asking
from triollama_adapters.batch.work.job import GROUP_MAX
from triollama_adapters.simulator import fast_config, open_fleet

ROWS = 40


class FakeStream:
    """Gives its answer at once."""

    endpoint = "a:11434"
    attempts: Sequence[Any] = ()
    timing = Timing(1, 2, 3, 4)

    def __init__(self, text: str) -> None:
        self._text = text

    async def collect(self) -> ChatResponse:
        """The text as an answer; of three tokens."""
        await trio.lowlevel.checkpoint()
        fold = ChatFold()
        message = {"message": {"content": self._text}, "done": True, "eval_count": 3}
        fold.add(decode_chat_chunk(json.dumps(message).encode(), 1))
        return fold.result()


class FakeEngine:
    """Answers with what was asked, in capitals; what says "fail" is refused."""

    endpoints = (FakeStream.endpoint,)

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.gate: Callable[[str], Any] | None = None

    def statistics(self) -> Any:
        """Its one endpoint, of which nothing is known."""
        known = {"name": FakeStream.endpoint, "state": "closed", "is_draining": False}
        unknown = {"slots": {}, "in_flight_max": 256, "loaded": ()}
        return SimpleNamespace(endpoints=(SimpleNamespace(**known, **unknown),))

    @asynccontextmanager
    async def stream_chat(
        self, model: str, messages: list[dict[str, str]], **_: Any
    ) -> AsyncIterator[FakeStream]:
        """One request."""
        text = messages[-1]["content"]
        self.asked[text] += 1
        if self.gate is not None:
            await self.gate(text)
        if "fail" in text:
            raise InvalidRequestError("refused")
        yield FakeStream(text.upper())


@pytest.fixture
def engine() -> Any:
    """An engine."""
    return FakeEngine()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An input of rows that are all answered."""
    return write(tmp_path / "in.jsonl", [f"row {number}" for number in range(ROWS)])


def write(path: Path, prompts: Sequence[str]) -> Path:
    """Write an input."""
    path.write_text("".join(json.dumps({"prompt": each}) + "\n" for each in prompts))
    return path


async def short(_: str) -> None:
    """A gate that makes rows come in more than one group."""
    await trio.sleep(0.005)


def records(path: Path) -> list[dict[str, Any]]:
    """The records of an output, each of them whole."""
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


def assert_complete(sink: Path, count: int = ROWS) -> None:
    """Each row is there once, with its own answer."""
    found = {each["index"]: each["content"] for each in records(sink)}
    assert len(records(sink)) == count
    assert found == {number: f"ROW {number}" for number in range(count)}


async def taken(
    engine: Any, source: Path, sink: Path | None, count: int | None = None, **choices: Any
) -> list[Result]:
    """Iterate, up to so many results."""
    results = []
    async with open_batch(engine, source, sink, model="m", **choices) as opened:
        async for result in opened:
            results.append(result)
            if len(results) == count:
                break
    return results


@pytest.mark.parametrize("in_order", [True, False])
async def test_each_row_gives_one_result(engine: Any, source: Path, *, in_order: bool) -> None:
    """As they come or in the order of the input, each kept before it is given."""
    last = trio.Event()

    async def uneven(text: str) -> None:
        if text == f"row {ROWS - 1}":
            last.set()
        elif text == "row 3":
            await last.wait()
            await trio.sleep(0.02)

    engine.gate = uneven
    sink = source.with_name("out.jsonl")
    numbers = []
    limits = Limits(in_order=in_order)
    async with open_batch(engine, source, sink, model="m", limits=limits) as opened:
        async for result in opened:
            assert result.answer is not None
            assert result.answer.content == f"ROW {result.number}"
            assert (result.custom_id, result.error_kind, result.error) == (None, None, None)
            assert result.number in {each["index"] for each in records(sink)}
            numbers.append(result.number)
        assert (opened.progress.read, opened.progress.answered) == (ROWS, ROWS)
    assert sorted(numbers) == list(range(ROWS))
    assert [each["index"] for each in records(sink)] == numbers
    assert (numbers == sorted(numbers)) is in_order
    assert_complete(sink)
    assert (await read_state(sink)).input_rows == ROWS


@pytest.mark.slow
async def test_it_runs_without_a_reader(engine: Any, source: Path) -> None:
    """`run` keeps all and gives nothing; more rows than results may wait are no matter."""
    count = batch.RESULTS_WAITING_MAX + 2 * GROUP_MAX
    write(source, [f"row {number}" for number in range(count)])
    sink = source.with_name("out.jsonl")
    async with open_batch(engine, source, sink, model="m") as opened:
        await opened.run()
    assert_complete(sink, count)
    assert (await read_state(sink)).input_rows == count


@pytest.mark.slow
async def test_a_real_engine_answers(source: Path) -> None:
    """Also rows that cannot be asked have a result, which says why; a `repr` tells no text."""
    with source.open("a") as file:
        file.write('{"other": 1}\n')
    url = "http://a:11434"
    async with (
        open_fleet({url: fast_config(load_s=0.0)}) as fleet,
        open_engine(url, transport=fleet.transport()) as engine,
    ):
        sink = source.with_name("out.jsonl")
        results = []
        async with open_batch(engine, source, sink, model="llama3.2") as opened:
            async for result in opened:
                results.append(result)
    kinds = Counter(result.error_kind for result in results)
    assert kinds == {None: ROWS, "PromptMissing": 1}
    [bad] = [result for result in results if result.answer is None]
    assert bad.number == ROWS
    assert bad.error is not None
    assert "line 41" in bad.error
    answers = {each["index"]: each["content"] for each in records(sink)}
    for result in results:
        if result.answer is not None:
            assert result.answer.content == answers[result.number]
            assert answers[result.number] not in repr(result)


async def test_it_goes_on_where_it_was(engine: Any, source: Path) -> None:
    """What has an outcome is neither asked nor given again; the file only grows."""
    sink = source.with_name("out.jsonl")
    engine.gate = ten_answers
    await taken(engine, source, sink, 5, limits=Limits(concurrency=2))
    engine.gate = None
    before = sink.read_bytes()
    known = {each["index"] for each in records(sink)}
    assert 5 <= len(known) <= 10
    engine.asked.clear()
    rest = await taken(engine, source, sink)
    assert {each.number for each in rest} == set(range(ROWS)) - known
    assert engine.asked == {f"row {number}": 1 for number in set(range(ROWS)) - known}
    assert sink.read_bytes().startswith(before)
    assert_complete(sink)
    assert await taken(engine, source, sink) == []


async def test_other_settings_are_refused(engine: Any, source: Path) -> None:
    """Bare, with the difference, before anything is asked; unless they are accepted."""
    sink = source.with_name("out.jsonl")
    await taken(engine, source, sink)
    engine.asked.clear()
    with pytest.raises(SettingsChangedError) as caught:
        await taken(engine, source, sink, system="Be brief.")
    assert [each.name for each in caught.value.changes] == ["system"]
    assert not engine.asked
    accepting = Limits(accepts_changes=True)
    assert await taken(engine, source, sink, system="Be brief.", limits=accepting) == []
    assert (await read_state(sink)).settings == {
        "input": str(source),
        "model": "m",
        "system": "Be brief.",
    }


async def test_a_path_is_kept_so_that_it_holds_in_any_folder(
    engine: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same batch may be gone on with from elsewhere, here or at the command line."""
    sink = source.with_name("out.jsonl")
    monkeypatch.chdir(source.parent)
    await taken(engine, Path(source.name), sink, 1, limits=Limits(concurrency=1))
    monkeypatch.chdir(Path(source.anchor))
    await taken(engine, source, sink)
    assert_complete(sink)


class MyError(Exception):
    """Raised by who iterates."""


async def ten_of(opened: Batch) -> set[int]:
    """The first ten results' rows."""
    numbers = set[int]()
    async for result in opened:
        numbers.add(result.number)
        if len(numbers) == 10:
            break
    return numbers


async def ten_answers(text: str) -> None:
    """A gate that only the first ten rows pass."""
    if int(text.removeprefix("row ")) >= 10:
        await trio.sleep_forever()


@pytest.mark.parametrize(
    "error", [None, MyError(), ExceptionGroup("mine", [MyError(), MyError()]), KeyboardInterrupt()]
)
async def test_left_early_it_keeps_what_it_kept(
    engine: Any, source: Path, error: BaseException | None
) -> None:
    """The block ends at once, with what was raised as it is; the batch goes on later."""
    sink = source.with_name("out.jsonl")
    engine.gate = ten_answers
    with pytest.raises(type(error)) if error is not None else nullcontext() as caught:
        async with open_batch(engine, source, sink, model="m") as opened:
            given = await ten_of(opened)
            if error is not None:
                raise error
    assert caught is None or caught.value is error
    assert {each["index"] for each in records(sink)} == given == set(range(10))
    engine.gate = None
    await taken(engine, source, sink)
    assert_complete(sink)


@pytest.mark.parametrize("how", ["waiting for a result", "elsewhere"])
async def test_cancelled_it_keeps_what_it_kept(engine: Any, source: Path, how: str) -> None:
    """Whatever who iterates waits for just then."""
    sink = source.with_name("out.jsonl")
    engine.gate = ten_answers
    with trio.CancelScope() as scope:
        async with open_batch(engine, source, sink, model="m") as opened:
            given = await ten_of(opened)
            scope.deadline = trio.current_time() + 0.02
            if how == "elsewhere":
                await trio.sleep_forever()
            await anext(opened)
    assert scope.cancelled_caught
    assert {each["index"] for each in records(sink)} == given == set(range(10))
    engine.gate = None
    await taken(engine, source, sink)
    assert_complete(sink)


async def test_left_before_it_began_it_asked_nothing(engine: Any, source: Path) -> None:
    """Opening is not running."""
    sink = source.with_name("out.jsonl")
    async with open_batch(engine, source, sink, model="m"):
        await trio.testing.wait_all_tasks_blocked()
    assert not engine.asked
    await taken(engine, source, sink)
    assert_complete(sink)


async def test_what_nobody_took_is_kept_as_well(engine: Any, source: Path) -> None:
    """Who leaves after the first result finds the others of its group in the output."""
    sink = source.with_name("out.jsonl")
    [first] = await taken(engine, source, sink, 1)
    kept = {each["index"] for each in records(sink)}
    assert first.number in kept
    rest = await taken(engine, source, sink)
    assert {each.number for each in rest} == set(range(ROWS)) - kept
    assert_complete(sink)


async def test_an_iteration_is_taken_up_again(engine: Any, source: Path) -> None:
    """A `break` stays within the block; `anext` alone begins it, too."""
    async with open_batch(engine, source, source.with_name("out.jsonl"), model="m") as opened:
        numbers = [(await anext(opened)).number]
        async for result in opened:
            numbers.append(result.number)
            if len(numbers) == 7:
                break
        async for result in opened:
            numbers.append(result.number)
        with pytest.raises(StopAsyncIteration):
            await anext(opened)
    assert sorted(numbers) == list(range(ROWS))


async def test_stopped_it_gives_what_ran(engine: Any, source: Path) -> None:
    """The iteration ends by itself, and nothing more is begun."""
    sink = source.with_name("out.jsonl")
    stopped = trio.Event()

    async def ten_before_the_stop(text: str) -> None:
        if int(text.removeprefix("row ")) >= 10:
            await stopped.wait()

    engine.gate = ten_before_the_stop
    results = []
    async with open_batch(engine, source, sink, model="m", limits=Limits(concurrency=2)) as opened:
        async for result in opened:
            results.append(result.number)
            opened.stop()
            stopped.set()
    assert len(results) < ROWS
    assert engine.asked == {f"row {number}": 1 for number in results}
    assert sorted(results) == sorted(each["index"] for each in records(sink))
    await taken(engine, source, sink)
    assert_complete(sink)


@pytest.mark.slow
async def test_a_slow_reader_holds_the_batch_back(
    engine: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it takes nothing, the input is not read on; and then it gets every row."""
    monkeypatch.setattr(batch, "RESULTS_WAITING_MAX", 16)
    count, concurrency, block = 4_000, 4, 128
    write(source, [f"row {number}" for number in range(count)])
    limits = Limits(concurrency=concurrency, window=512)
    async with open_batch(engine, source, None, model="m", limits=limits) as opened:
        numbers = [(await anext(opened)).number]
        seen = -1
        while seen != opened.progress.read:
            seen = opened.progress.read
            await trio.sleep(0.1)
        # Results that wait, a group in the writer's hands, one that waits for it, and the rows of
        # the workers, those of the window before them, and of one block of the reader.
        assert seen <= 16 + 2 * GROUP_MAX + 2 * concurrency + limits.window + block + 1
        async for result in opened:
            numbers.append(result.number)
    assert sorted(numbers) == list(range(count))


async def test_without_a_sink_nothing_is_kept(engine: Any, source: Path) -> None:
    """The results are all there is; a second run asks again."""
    for _ in range(2):
        results = await taken(engine, source, None)
        assert sorted(each.number for each in results) == list(range(ROWS))
    assert set(engine.asked.values()) == {2}
    assert os.listdir(source.parent) == [source.name]  # noqa: PTH208 - names only


@pytest.mark.parametrize("how", ["iterate", "run"])
async def test_what_ends_it_is_raised_bare(engine: Any, source: Path, how: str) -> None:
    """After the results of what was kept; and again for who asks again."""
    write(source, [*[f"row {number}" for number in range(5)], "fail", *["row"] * 500])
    sink = source.with_name("out.jsonl")
    kinds = []
    limits = Limits(is_fail_fast=True, concurrency=1)
    with pytest.raises(FirstFailureError):
        async with open_batch(engine, source, sink, model="m", limits=limits) as opened:
            if how == "run":
                await opened.run()
            with pytest.raises(FirstFailureError):
                async for result in opened:
                    kinds.append(result.error_kind)
            await anext(opened)
    if how == "iterate":
        assert kinds.count("InvalidRequestError") == 1
    [failed] = records(source.with_name("out.errors.jsonl"))
    assert failed["error"]["type"] == "InvalidRequestError"
    assert {0, 1, 2, 3, 4} <= {each["index"] for each in records(sink)}


async def test_a_changed_row_ends_the_iteration(engine: Any, source: Path) -> None:
    """A row that was answered is another one now."""
    sink = source.with_name("out.jsonl")
    await taken(engine, source, sink)
    write(source, [f"other {number}" for number in range(ROWS)])
    with pytest.raises(InputChangedError, match="line 1 was answered"):
        await taken(engine, source, sink)
    assert await taken(engine, source, sink, limits=Limits(accepts_changes=True)) == []


async def test_an_input_that_has_shrunk_is_refused(engine: Any, source: Path) -> None:
    """Rows that are gone at its end are no less changed; unless somebody takes that."""
    sink = source.with_name("out.jsonl")
    await taken(engine, source, sink)
    write(source, [f"row {number}" for number in range(5)])
    with pytest.raises(InputChangedError, match="has 5 rows now, and row 40 has an outcome"):
        await taken(engine, source, sink)
    assert await taken(engine, source, sink, limits=Limits(accepts_changes=True)) == []
    assert (await read_state(sink)).input_rows == 5


@pytest.mark.parametrize("which", [{"limit": 7}, {"shard": "2/3"}, {"sample": 0.5}])
async def test_rows_that_are_left_out_are_no_shrunk_input(
    engine: Any, source: Path, which: dict[str, Any]
) -> None:
    """An input may grow, and other rows may be left out: those with an outcome keep it."""
    sink = source.with_name("out.jsonl")
    await taken(engine, source, sink, **which)
    prompts = [f"row {number}" for number in range(ROWS + 20)]
    await taken(engine, write(source, prompts), sink, **which)
    before = sink.read_bytes()
    accepts = Limits(accepts_changes=True)
    await taken(engine, source, sink, limit=2, limits=accepts)
    await taken(engine, source, sink, limit=2)
    assert sink.read_bytes().startswith(before)


async def test_what_no_batch_wrote_is_left_as_it_is(engine: Any, source: Path) -> None:
    """A file with the name of the errors, and an input with it."""
    mine = source.with_name("out.errors.jsonl")
    mine.write_text('{"my": "data"}\n')
    with pytest.raises(OutputExistsError, match=r"out\.errors\.jsonl exists"):
        await taken(engine, source, source.with_name("out.jsonl"))
    before = write(mine, ["a row"]).read_bytes()
    with pytest.raises(ChoiceError, match="file of errors of this batch"):
        await taken(engine, mine, source.with_name("out.jsonl"))
    assert mine.read_bytes() == before
    assert sorted(source.parent.iterdir()) == [source, mine]


async def test_an_output_that_is_removed_ends_the_iteration(engine: Any, source: Path) -> None:
    """With the reason; the rows are asked again later."""
    sink = source.with_name("out.jsonl")
    engine.gate = short
    with pytest.raises(LedgerError, match="removed"):
        async with open_batch(
            engine, source, sink, model="m", limits=Limits(concurrency=1)
        ) as opened:
            async for _ in opened:
                sink.unlink(missing_ok=True)
    await taken(engine, source, sink)
    assert_complete(sink)


async def test_a_defect_of_the_engine_is_not_hidden(engine: Any, source: Path) -> None:
    """What is no `BatchError` ends the block, and the ledger is closed."""

    async def crash(_: str) -> None:
        raise MyError

    engine.gate = crash
    sink = source.with_name("out.jsonl")
    with pytest.RaisesGroup(MyError, flatten_subgroups=True):
        await taken(engine, source, sink, limits=Limits(concurrency=1))
    engine.gate = None
    await taken(engine, source, sink)
    assert_complete(sink)


async def test_a_row_is_asked_so_often(
    engine: Any, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the row has failed, and its result says so."""
    monkeypatch.setattr(asking, "PAUSE_S", 0.001)
    write(source, ["fail"])

    async def late(_: str) -> None:
        raise DeadlineExceededError("late", limit_s=1.0)

    engine.gate = late
    [result] = await taken(engine, source, None, tries=2)
    assert (result.answer, result.error_kind) == (None, "DeadlineExceededError")
    assert result.error
    assert engine.asked["fail"] == 2


async def test_one_sink_is_open_once(engine: Any, source: Path) -> None:
    """The second is refused with the process that has it; the first goes on."""
    sink = source.with_name("out.jsonl")
    async with open_batch(engine, source, sink, model="m") as opened:
        await anext(opened)
        with pytest.raises(OutputBusyError) as caught:
            await taken(engine, source, sink)
        assert caught.value.pid == os.getpid()
        async for _ in opened:
            pass
    assert_complete(sink)


@pytest.mark.parametrize("first", ["iterate", "run"])
async def test_a_batch_runs_once(engine: Any, source: Path, first: str) -> None:
    """To run it again, open it again."""
    async with open_batch(engine, source, None, model="m") as opened:
        if first == "run":
            await opened.run()
            with pytest.raises(RuntimeError, match="runs once"):
                aiter(opened)
        else:
            await anext(opened)
        with pytest.raises(RuntimeError, match="runs once"):
            await opened.run()


async def test_an_input_that_is_missing_leaves_nothing(engine: Any, tmp_path: Path) -> None:
    """It is told before any file is made."""
    with pytest.raises(InputError):
        await taken(engine, tmp_path / "no.jsonl", tmp_path / "out.jsonl")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names only


def test_the_package_gives_what_programs_need() -> None:
    """Every public name exists, and says what it is."""
    names = triollama_adapters.batch.__all__
    assert names == sorted(names)
    assert set(names) <= set(dir(triollama_adapters.batch))
    for name in names:
        assert getattr(triollama_adapters.batch, name).__doc__
    assert issubclass(InputError, BatchError)
    with pytest.raises(AttributeError, match="nothing"):
        _ = triollama_adapters.batch.nothing
