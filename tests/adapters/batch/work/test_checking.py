"""A user's function on each answer: what it may say, and what becomes of it."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel
from tests.adapters.batch.work.answers import (
    ASK,
    COMPLETION,
    USAGE,
    Scripted,
    chat_of,
    completion_of,
)
from trio.testing import MockClock

from triollama import (
    ChatResponse,
    EmbedResponse,
    Message,
    ToolCall,
    ToolFunction,
    Usage,
    open_engine,
)
from triollama_adapters.batch import Reject, Retry, open_batch
from triollama_adapters.batch.errors import ChoiceError, SettingsChangedError
from triollama_adapters.batch.ledger.ledger import open_ledger, read_state
from triollama_adapters.batch.making import entry_of
from triollama_adapters.batch.output.openai_records import OpenAIRecords
from triollama_adapters.batch.output.records import FlatRecords
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Ask, Row, RowError
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.checking import Checked
from triollama_adapters.batch.work.functions import load_function
from triollama_adapters.simulator import SimulatorConfig, open_fleet

A = "http://a:11434"


def checked(asks: Any, check: Any, **more: Any) -> Checked:
    """A check of answers."""
    return Checked(asks, load_function(check, "--check"), **more)


def line_of(asked: Asked) -> bytes:
    """The record of it."""
    return entry_of(FlatRecords(), Row(7, bytes(16), "line 8", 10, ASK, None, {}), asked).record


def refusal(asked: Asked) -> tuple[str, str]:
    """Why an answer does not count."""
    assert asked.answer is None
    assert isinstance(asked.error, RowError)
    return asked.error.kind, asked.error.message


async def test_what_is_taken_goes_through() -> None:
    """With what it cost, and how many answers it took."""
    asked = await checked(Scripted(["4"]), lambda answer: answer.content == "4").ask(ASK)
    assert asked.answer is not None
    assert asked.answer.content == "4"
    assert asked.more == {"check": {"answers": 1}}


async def test_a_check_may_see_the_row() -> None:
    """Its fields are values there."""

    def check(answer: Any, row: dict[str, Any]) -> bool:
        return bool(answer.content == row["expected"])

    assert (await checked(Scripted(["4"]), check).ask(ASK)).answer is not None
    assert refusal(await checked(Scripted(["5"]), check).ask(ASK))[0] == "AnswerRejected"


async def test_a_check_may_be_asynchronous() -> None:
    """It runs in the loop then, as an object that can be called may."""

    class Check:
        async def __call__(self, answer: Any) -> Reject:
            await trio.lowlevel.checkpoint()
            return Reject(f"{answer.content} is wrong")

    asked = await checked(Scripted(["5"]), Check()).ask(ASK)
    assert refusal(asked) == ("AnswerRejected", "5 is wrong")


async def test_any_other_runs_in_a_thread() -> None:
    """So that one that takes its time keeps nobody else waiting."""
    threads = set()

    def check(answer: Any) -> bool:
        threads.add(threading.get_ident())
        return True

    await checked(Scripted(["4"]), check).ask(ASK)
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("message", ["Only the number.", Retry("Only the number.")])
async def test_the_model_is_asked_again_with_a_message(message: str | Retry) -> None:
    """Behind its answer; what both answers cost is told together."""
    asks = Scripted(["It is 4", "4"])
    asked = await checked(asks, lambda answer: answer.content == "4" or message).ask(ASK)
    assert asked.answer is not None
    assert asked.answer.content == "4"
    assert (asked.answer.usage.prompt_tokens, asked.answer.usage.output_tokens) == (20, 6)
    assert (asked.tries, asked.more["check"]) == (2, {"answers": 2})
    assert asks.asked[1].arguments["messages"] == [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "It is 4"},
        {"role": "user", "content": "Only the number."},
    ]
    assert ASK.arguments["messages"] == [{"role": "user", "content": "2 + 2?"}]


async def test_of_a_bare_prompt_all_is_one_text() -> None:
    """It has no conversation."""
    asks = Scripted(["It is 4", "4"], make=completion_of)
    await checked(asks, lambda answer: answer.content == "4" or "Only the number.").ask(COMPLETION)
    assert asks.asked[1].arguments["prompt"] == "2 + 2?\n\nIt is 4\n\nOnly the number.\n\n"


async def test_retries_are_bounded() -> None:
    """The last answer is what the error keeps."""
    asks = Scripted(["a", "b", "c", "d"])
    asked = await checked(asks, lambda answer: "Only the number.", retries_max=2).ask(ASK)
    assert refusal(asked) == ("AnswerRejected", "Only the number. (the last of 3 answers)")
    assert len(asks.asked) == 3
    assert asked.refused is not None
    assert asked.refused.content == "c"
    asked = await checked(Scripted(["a"]), lambda answer: "No.", retries_max=0).ask(ASK)
    assert refusal(asked) == ("AnswerRejected", "No.")


async def test_answers_that_do_not_count_have_cost(tmp_path: Path) -> None:
    """What all of them cost is told: in the record of the row, and in what the journal sums."""
    asked = await checked(Scripted(["a", "b", "c"]), lambda answer: "Again.").ask(ASK)
    assert asked.spent == Usage(prompt_tokens=30, output_tokens=9)
    row = Row(7, bytes(16), "line 8", 10, ASK, None, {})
    entry = entry_of(FlatRecords(), row, asked)
    assert (entry.input_tokens, entry.output_tokens) == (30, 9)
    assert json.loads(entry.record)["usage"] == attrs.asdict(asked.spent)
    assert json.loads(entry_of(OpenAIRecords(), row, asked).record)["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 9,
        "total_tokens": 39,
    }
    asked = await checked(Scripted(["a", None]), lambda answer: "Again.").ask(ASK)
    assert asked.spent == USAGE
    asked = await checked(Scripted(["a", "4"]), lambda answer: answer.content == "4" or "No").ask(
        ASK
    )
    assert asked.spent == Usage(prompt_tokens=20, output_tokens=6)
    entry = entry_of(FlatRecords(), row, await Scripted([None]).ask(ASK))
    assert entry.output_tokens == 0
    assert "usage" not in json.loads(entry.record)


async def test_embeddings_are_not_asked_again() -> None:
    """There is nobody who could read a message."""
    ask = Ask("embed", {"model": "m", "input": "x"})
    asks = Scripted(["", ""], make=lambda text: EmbedResponse(embeddings=((1.0, 0.0),)))
    assert refusal(await checked(asks, lambda answer: "Longer.").ask(ask))[1] == "Longer."
    assert len(asks.asked) == 1
    asked = await checked(Scripted([""], make=asks.make), lambda answer: True).ask(ask)
    assert isinstance(asked.answer, EmbedResponse)


async def test_a_failure_is_not_checked() -> None:
    """Also when it comes after an answer."""
    asked = await checked(Scripted([None]), lambda answer: pytest.fail("asked")).ask(ASK)
    assert asked.tries == 5
    asked = await checked(Scripted(["a", None]), lambda answer: "Again.").ask(ASK)
    assert type(asked.error).__name__ == "FleetUnavailableError"
    assert asked.tries == 6


async def test_a_check_that_raises_fails_its_row() -> None:
    """With the type and the message."""

    def check(answer: Any) -> bool:
        raise KeyError("price")

    asked = await checked(Scripted(["a"]), check).ask(ASK)
    assert refusal(asked) == ("CheckFailed", "KeyError: 'price'")
    assert asked.refused is not None


@pytest.mark.parametrize("said", [None, 1, 0, [], b"x"])
async def test_what_means_nothing_is_a_mistake(said: object) -> None:
    """A check that forgets to give something must not take everything."""
    kind, message = refusal(await checked(Scripted(["a"]), lambda answer: said).ask(ASK))
    assert kind == "CheckFailed"
    assert f"gave a {type(said).__name__}; it must give True" in message


class MuteError(Exception):
    """It cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OSError("no \udcff.txt"), "OSError: no ?.txt"),
        (MuteError(), "MuteError: its text cannot be had"),
        (SystemExit(3), "SystemExit: 3"),
        (ValueError("x" * 1_000_000), "ValueError: " + "x" * 9_988),
        (ValueError(), "ValueError"),
    ],
)
async def test_whatever_a_check_raises_can_be_written(raised: BaseException, told: str) -> None:
    """No text of a user's ends more than its row."""

    def check(answer: Any) -> bool:
        raise raised

    asked = await checked(Scripted(["a"]), check).ask(ASK)
    assert refusal(asked) == ("CheckFailed", told)
    assert json.loads(line_of(asked))["error"]["message"] == told


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        (Reject("\udcff"), "AnswerRejected", "?"),
        (Reject(ValueError("too long")), "AnswerRejected", "too long"),
        (Reject(ValueError()), "AnswerRejected", "ValueError"),
        (Reject("x" * 1_000_000), "AnswerRejected", "x" * 10_000),
        (Reject(MuteError()), "CheckFailed", "RuntimeError"),
        (Reject(None), "CheckFailed", "gave Reject a NoneType; it takes a text or an exception"),
        (Retry(7), "CheckFailed", "gave Retry a int; it takes a text or an exception"),
    ],
)
async def test_a_verdict_takes_a_text_or_an_exception(said: object, kind: str, told: str) -> None:
    """Anything else is a mistake in the function."""
    asked = await checked(Scripted(["a"]), lambda answer: said).ask(ASK)
    assert refusal(asked)[0] == kind
    assert refusal(asked)[1].endswith(told)
    assert len(refusal(asked)[1]) <= 10_000
    assert json.loads(line_of(asked))["error"]["type"] == kind


@pytest.mark.parametrize("said", ["no \udcff", Retry("no \udcff"), Retry(ValueError("no \udcff"))])
async def test_what_the_model_is_told_can_be_sent(said: object) -> None:
    """As any text of a user's."""
    asks = Scripted(["a", "b"])
    asked = await checked(asks, lambda answer: answer.content == "b" or said).ask(ASK)
    assert asked.answer is not None
    assert asks.asked[1].arguments["messages"][-1]["content"] == "no ?"


async def test_a_check_cannot_change_the_answer() -> None:
    """The arguments of a tool call are a dictionary, and are recorded."""

    def make(text: str) -> ChatResponse:
        call = ToolCall(function=ToolFunction(name="f", arguments={"x": [1]}))
        return attrs.evolve(chat_of(text), message=Message(role="assistant", tool_calls=(call,)))

    def check(answer: Any) -> bool:
        answer.tool_calls[0].function.arguments["x"][0] = object()
        return True

    asked = await checked(Scripted(["a"], make=make), check).ask(ASK)
    assert json.loads(line_of(asked))["tool_calls"] == [
        {"function": {"name": "f", "arguments": {"x": [1]}}}
    ]


async def test_a_check_that_hangs_is_given_up(autojump_clock: MockClock) -> None:
    """Its row has failed."""

    async def hang(answer: Any) -> None:
        await trio.sleep_forever()

    function = attrs.evolve(load_function(hang, "--check"), limit_s=5.0)
    asked = await Checked(Scripted(["a"]), function).ask(ASK)
    assert refusal(asked) == ("CheckFailed", "it took longer than 5 s")


async def test_cancelling_does_not_wait_for_a_thread() -> None:
    """It is left behind."""
    begun, end = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def check(answer: Any) -> bool:
        token.run_sync_soon(begun.set)
        return end.wait(30)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(checked(Scripted(["a"]), check).ask, ASK)
            await begun.wait()
            nursery.cancel_scope.cancel()
    finally:
        end.set()


def write(folder: Path, text: str, name: str = "my_checks.py") -> Path:
    """A module of a user's."""
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; what is imported from it is forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path


def test_functions_are_found_by_name(folder: Path) -> None:
    """In the current folder, by a file's path, where Python looks, and as parts of something."""
    path = write(folder, "class C:\n    def f(answer): return True\ndef g(a, row): return 1\n")
    write(folder, "def h(a): return True\n", "other_checks.py")
    assert load_function("my_checks:C.f", "--check").wants_row is False
    assert load_function(f"{path}:g", "--check").wants_row is True
    assert load_function("other_checks.py:h", "--check").name == "other_checks.py:h"
    assert load_function("json:loads", "--check").function is json.loads


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "takes MODULE:FUNCTION"),
        (":f", "takes MODULE:FUNCTION"),
        ("nowhere:f", "there is no module nowhere in "),
        ("nowhere.deep:f", "there is no module nowhere.deep in "),
        ("nowhere.py:f", "there is no file "),
        ("broken_check:f", "importing broken_check failed: NameError: name 'x' is not defined"),
        ("script_check:f", "importing script_check failed: SystemExit: 2"),
        ("needy_check:f", "importing needy_check needs a module: No module named 'no_such'"),
        ("json:nothing", "has no nothing"),
        ("json.py:f", "the name json belongs to another module already"),
        ("json:__name__", "that is a str, no function"),
        ("needy_check.py:f", "needs a module"),
        ("wide_check:f", "it must take (answer) or (answer, row), and not (a, b, c)"),
    ],
)
def test_what_is_not_there_is_told(folder: Path, name: str, told: str) -> None:
    """By what was looked for, and where."""
    write(folder, "def f(a): ...\n", "json.py")
    write(folder, "x\n", "broken_check.py")
    write(folder, "import sys\nsys.exit(2)\n", "script_check.py")
    write(folder, "import no_such\n", "needy_check.py")
    write(folder, "def f(a, b, c): ...\n", "wide_check.py")
    with pytest.raises(ChoiceError) as caught:
        load_function(name, "--check")
    assert told in str(caught.value)
    assert "--check" in str(caught.value)


async def test_a_record_keeps_what_was_rejected() -> None:
    """As what had arrived of an answer that broke."""
    asked = await checked(Scripted(["It is 4"]), lambda answer: Reject("words")).ask(ASK)
    row = Row(7, bytes(16), "line 8", 10, ASK, None, ASK.fields)
    entry = entry_of(FlatRecords(own_keys=FlatRecords().own_keys | {"check"}), row, asked)
    assert entry.error_kind == "AnswerRejected"
    assert json.loads(entry.record) == {
        "index": 7,
        "question": "2 + 2?",
        "expected": "4",
        "error": {
            "type": "AnswerRejected",
            "message": "words",
            "partial": {"content": "It is 4"},
        },
        "check": {"answers": 1},
        "usage": attrs.asdict(USAGE),
    }


def short(answer: Any) -> bool:
    """A check that a batch can be resumed with."""
    return len(answer.content) < 10_000


@pytest.mark.slow
async def test_a_batch_with_a_check(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its name belongs to what a resume must have again."""
    source, sink = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(f'{{"prompt": "{number}?", "check": 1}}\n' for number in range(3)))

    async def choosy(answer: Any, row: dict[str, Any]) -> bool:
        return bool(row["prompt"] != "1?")

    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        async with open_batch(engine, source, sink, model="llama3.2", check=choosy) as batch:
            results = [result async for result in batch]
        assert {each.number: each.error_kind for each in results} == {
            0: None,
            1: "AnswerRejected",
            2: None,
        }
        with pytest.raises(SettingsChangedError, match=r"check: .* -> .*short"):
            async with open_batch(engine, source, sink, model="llama3.2", check=short):
                pass
    records = [json.loads(line) for line in sink.read_bytes().splitlines()]
    assert [(each["input_check"], each["check"]) for each in records] == [(1, {"answers": 1})] * 2


@pytest.mark.slow
async def test_a_batch_counts_what_does_not_count(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Its journal and its progress have the tokens of answers that were rejected, for good."""
    source, sink = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"prompt": "2 + 2?"}\n' * 3)
    spent = 0

    async def reject(answer: Any) -> str:
        nonlocal spent
        spent += answer.usage.output_tokens
        return "Again."

    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        async with open_batch(engine, source, sink, model="llama3.2", check=reject) as batch:
            await batch.run()
            assert batch.progress.output_tokens == spent > 0
    state = await read_state(sink)
    assert (state.failed, state.output_tokens) == (3, spent)
    async with open_ledger(sink, None, is_resumed=True) as ledger:
        assert await ledger.retry_failed() == 3
        assert (ledger.state.failed, ledger.state.output_tokens) == (0, spent)


def test_a_function_is_stored_by_its_name() -> None:
    """What is stored is plain, and a resume finds the function again."""
    settings = Recipe(input="x", check=short, vote=3, vote_key="number").settings()
    assert settings["check"].endswith("test_checking:short")
    assert settings["vote_key"] == "number"
    with pytest.raises(ChoiceError, match="no module nowhere"):
        Recipe(input="x", check="nowhere:f").treatment()
