"""What is kept of tokenizers, and what servers tell about vocabularies."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.tokens import vocabularies

from triollama import ProtocolError, Tokenizer
from triollama.tokens.memory import Memory
from triollama.tokens.shelf import Shelf
from triollama.tokens.told import can_render, read_vocabulary

INFO = vocabularies.wordpiece()


async def test_the_unused_goes_first() -> None:
    """Only so many are kept, the last used of them."""
    made: list[str] = []

    async def take(key: str) -> None:
        async def make() -> Tokenizer:
            made.append(key)
            return Tokenizer(INFO)

        await shelf.take(key, make)

    shelf = Shelf(2)
    for key in "abacab":
        await take(key)
    assert made == ["a", "b", "c", "b"]
    assert len(shelf) == 2


async def test_failure_is_not_kept() -> None:
    """Another error than that of the vocabulary may pass; the next who asks tries again."""
    shelf = Shelf()

    async def fail() -> Tokenizer:
        raise OSError

    async def make() -> Tokenizer:
        return Tokenizer(INFO)

    with pytest.raises(OSError, match=r"^$"):
        await shelf.take("a", fail)
    assert (await shelf.take("a", make)).kind == "WPM"


def test_versions_that_render() -> None:
    """Since 0.11.5; of what is no version nothing is expected."""
    assert [can_render(each) for each in ("0.11.5", "0.33.0-rc1", "1.0.0")] == [True] * 3
    assert [can_render(each) for each in ("0.11.4", "0.0.0", "", "dev")] == [False] * 4


def test_only_the_vocabulary_is_read() -> None:
    """The rest of the answer is not even decoded."""
    info: dict[str, Any] = {**INFO, "llama.context_length": 7}
    body = msgspec.json.encode({"model_info": info, "license": "x" * 1_000})
    assert read_vocabulary(body) == INFO


@given(st.binary(max_size=40))
def test_answers_that_make_no_sense(body: bytes) -> None:
    """They are a server's fault, whatever they are."""
    for each in (body, b'{"model_info":' + body, b'{"model_info":{"tokenizer.ggml.tokens":' + body):
        try:
            assert isinstance(read_vocabulary(each), dict)
        except ProtocolError as error:
            assert "cannot be read" in str(error)  # noqa: PT017 - either is right


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are forgotten all at once; long ones are not kept."""
    monkeypatch.setattr("triollama.tokens.memory._WORDS_MAX", 3)
    asked: list[str] = []

    def work_out(text: str) -> str:
        asked.append(text)
        return text.upper()

    memory = Memory(work_out)
    assert [memory.recall(each) for each in "aabcda"] == list("AABCDA")
    assert asked == list("abcda")
    memory.recall("x" * 65)
    memory.recall("x" * 65)
    assert asked.count("x" * 65) == 2


async def test_one_that_takes_long_holds_nobody_else_up() -> None:
    """A server that hangs is no reason to wait for another model's vocabulary."""
    shelf = Shelf()
    made: list[str] = []

    async def hang() -> Tokenizer:
        made.append("a")
        await trio.sleep_forever()
        raise AssertionError

    async def make() -> Tokenizer:
        made.append("b")
        return Tokenizer(INFO)

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(shelf.take, "a", hang)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(5):
            await shelf.take("b", make)
        nursery.cancel_scope.cancel()
    assert made == ["a", "b"]
    assert not shelf._locks
