"""Doubts about options reach whoever made the request, at the line where it was made."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from triollama import OptionsWarning, _doubts
from triollama.api import ChatRequest, Options, doubts

OpenLab = Callable[..., AbstractAsyncContextManager[Any]]
A = "http://a:11434"
ONE = {"num_predict": 1}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been asked before."""
    monkeypatch.setattr(_doubts, "_last_runner", {})


async def test_an_ignored_option_is_told_where_it_was_given(open_lab: OpenLab) -> None:
    """By every way of asking; the request is sent all the same."""
    options = {**ONE, "mirostat": 2}
    async with open_lab(A) as lab:
        with pytest.warns(OptionsWarning, match="'mirostat' does nothing") as told:  # noqa: PT031 - one list
            await lab.engine.chat("llama3.2", "hi", options=options)
            await lab.engine.generate("llama3.2", "hi", options=options)
            async with lab.engine.stream_chat("llama3.2", "hi", options=options) as stream:
                await stream.collect()
        assert {Path(each.filename).name for each in told} == {"test_doubts.py"}
        assert len({each.lineno for each in told}) == 3
        assert lab.asked(A) == 2


async def test_another_num_ctx_is_told(open_lab: OpenLab) -> None:
    """The second value makes the server load the model anew; a request without one does not."""
    async with open_lab(A) as lab:
        chat = lab.engine.chat
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptionsWarning)
            await chat("llama3.2", "hi", options={**ONE, "num_ctx": 4096})
            await chat("llama3.2:latest", "hi", options={**ONE, "num_ctx": 4096})
            await chat("llama3.2", "hi", options=ONE)
            await chat("qwen3:0.6b", "hi", options={**ONE, "num_ctx": 2048})
        with pytest.warns(OptionsWarning, match=r"'num_ctx' is 8192, and was 4096 before"):
            await chat("llama3.2", "hi", options={**ONE, "num_ctx": 8192})


async def test_a_doubt_can_be_made_an_error(open_lab: OpenLab) -> None:
    """Then nothing is sent."""
    async with open_lab(A) as lab:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptionsWarning)
            with pytest.raises(OptionsWarning):
                await lab.engine.chat("llama3.2", "hi", options={"use_mlock": True})
        assert lab.asked(A) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest model is forgotten."""
    monkeypatch.setattr(_doubts, "MODELS_MAX", 2)
    for name in ("a", "b", "c", "c"):
        _doubts.tell_doubts(ChatRequest.make(name, "x", options={"num_ctx": 8}))
    assert list(_doubts._last_runner) == ["b:latest", "c:latest"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tfs_z": 1}, "does nothing"),
        ({"num_ctx": 3}, "the server makes it 4"),
        ({"num_ctx": 9000}, "trained for 8192 tokens"),
        ({"temperature": -1}, "usual is from 0 to 2"),
        ({"top_p": 1.5}, "usual is from 0 to 1"),
        ({"top_k": -1}, "usual is 0 or more"),
        ({"num_thread": 8}, "and was 4 before"),
        ({"temprature": 1}, "is 'temperature' meant?"),
        ({"numctx": 4096}, "is 'num_ctx' meant?"),
    ],
)
def test_each_doubt(options: dict[str, Any], told: str) -> None:
    """One sentence that says what happens."""
    (doubt,) = doubts(options, context_length=8192, loaded={"num_thread": 4})
    assert told in doubt
    assert doubt.startswith(f"option '{next(iter(options))}' ")


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"new_one": [1], "n" * 1_000_000: 1},
        Options(num_ctx=8192, temperature=0, top_p=1, top_k=0, min_p=0.05, num_thread=4),
        {"stop": ["x"], "seed": -1, "num_predict": -1, "repeat_penalty": 1.1},
    ],
)
def test_no_doubt(options: Any) -> None:
    """What is usual, and what nobody knows yet."""
    assert doubts(options, context_length=8192, loaded={"num_thread": 4}) == ()


def test_a_huge_number_is_told() -> None:
    """Without writing it out."""
    assert "beyond 1e30" not in doubts({"temperature": 10.0**29})[0]
    assert "beyond 1e30" in doubts({"temperature": 1e300})[0]
