"""Counts through an engine: who is asked for what, what is kept, and what an estimate is."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest
import trio
from tests.engine.conftest import CALM, A, B, CancelAtStep, OpenLab
from tests.engine.tokens import vocabularies

from triollama import (
    ConfigError,
    ContextExceededError,
    FleetUnavailableError,
    InvalidRequestError,
    Message,
    MissingExtraError,
    ModelNotFoundError,
    TokenCount,
    TokenizerError,
    tool,
)
from triollama.tokens.counting import INLINE_CHARACTERS_MAX
from triollama.tokens.counts import FRAME_TOKENS, IMAGE_TOKENS, estimate_text
from triollama_adapters.simulator import ModelConfig, SimulatorConfig

MODEL = "llama3.2"
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
RENDERED = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
    "<|im_start|>assistant\n"
)


@tool
def look(at: str) -> str:
    """Look at something."""
    return at


PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(32)).decode()


def server(**changes: Any) -> SimulatorConfig:
    """A calm server whose model has a vocabulary of ours."""
    metadata = changes.pop("metadata", vocabularies.bpe("qwen2"))
    capabilities = ("completion", "tools", "vision")
    model = ModelConfig(name=MODEL, capabilities=capabilities, metadata=metadata)
    return SimulatorConfig(models=(model,), **{**CALM, **changes})


async def test_text_is_counted_by_the_models_tokenizer(open_lab: OpenLab) -> None:
    """One text, or several, each of them told apart."""
    async with open_lab(A) as lab:
        tokenizer = await lab.engine.tokenizer(MODEL)
        count = await lab.engine.count_tokens(MODEL, "Hello world")
        assert count == TokenCount(tokenizer.count("Hello world"), True, "tokenizer")  # noqa: FBT003
        several = await lab.engine.count_tokens(MODEL, ["Hello", " world", ""])
        assert several.counts == (tokenizer.count("Hello"), tokenizer.count(" world"), 0)
        assert int(several) == sum(several.counts)
        assert (await lab.engine.count_tokens(MODEL, [])).count == 0


async def test_chat_is_rendered_and_counted(open_lab: OpenLab) -> None:
    """The server says what it makes of a chat, tools included, without answering it."""
    async with open_lab(servers={A: server()}) as lab:
        tokenizer = await lab.engine.tokenizer(MODEL)
        count = await lab.engine.count_tokens(MODEL, MESSAGES)
        assert count.method == "rendered"
        assert count.is_exact
        assert count.count == tokenizer.count(RENDERED, add_special=True)
        assert (await lab.engine.count_tokens(MODEL, MESSAGES, tools=[look])).count > count.count
        tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
        assert (await lab.engine.count_tokens(MODEL, MESSAGES, tools=tools)).count > count.count
        typed = [Message(**each) for each in MESSAGES]
        assert await lab.engine.count_tokens(MODEL, typed) == count
        assert lab.served(A) == 0


async def test_vocabulary_is_asked_for_once(open_lab: OpenLab) -> None:
    """Also by several tasks at once; the names are looked up again after a while."""
    async with open_lab(servers={A: server()}) as lab:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(lab.engine.count_tokens, MODEL, "x")
        await lab.engine.count_tokens(MODEL, "y")
        assert lab.asked(A, "/api/show") == 1


async def test_long_text_is_counted_the_same(open_lab: OpenLab) -> None:
    """In a thread, so that others go on meanwhile."""
    text = "Weng earns $12 an hour.\n" * (INLINE_CHARACTERS_MAX // 10)
    async with open_lab(servers={A: server()}) as lab:
        tokenizer = await lab.engine.tokenizer(MODEL)
        assert (await lab.engine.count_tokens(MODEL, text)).count == tokenizer.count(text)


async def test_old_server_does_not_render(open_lab: OpenLab) -> None:
    """It would answer instead; the frame of the messages is estimated."""
    async with open_lab(servers={A: server(version="0.11.4")}) as lab:
        tokenizer = await lab.engine.tokenizer(MODEL)
        count = await lab.engine.count_tokens(MODEL, MESSAGES)
        assert (count.method, count.is_exact) == ("contents", False)
        words = sum(map(tokenizer.count, ("system", "Be brief.", "user", "Why?")))
        assert count.count == words + 3 * FRAME_TOKENS
        assert abs(count.count - tokenizer.count(RENDERED, add_special=True)) <= 10
        assert lab.asked(A) == 0


async def test_a_chat_beyond_the_context_is_counted_whole(open_lab: OpenLab) -> None:
    """The server refuses to render it, and may not cut it: the rest would seem to fit."""
    messages = [{"role": "user", "content": "hello world " * 100}] * 60
    async with open_lab() as lab:
        short = await lab.engine.count_tokens(MODEL, messages[:2])
        count = await lab.engine.count_tokens(MODEL, messages)
        assert (count.method, count.is_exact) == ("contents", False)
        assert count.count == pytest.approx(30 * short.count, rel=0.1)


async def test_images_are_estimated(open_lab: OpenLab) -> None:
    """What a picture takes depends on the model; Ollama's own guess is used."""
    messages = [*MESSAGES, {"role": "user", "content": "Look.", "images": [PICTURE]}]
    without = [*MESSAGES, {"role": "user", "content": "Look."}]
    async with open_lab(servers={A: server()}) as lab:
        count = await lab.engine.count_tokens(MODEL, messages)
        bare = await lab.engine.count_tokens(MODEL, without)
        assert (count.method, count.is_exact) == ("rendered", False)
        assert count.count == bare.count + IMAGE_TOKENS


@pytest.mark.parametrize("text", ["Hello, you \u4e16\u754c", ["a", "\u0416\u0416"], MESSAGES])
async def test_unknown_tokenizer(open_lab: OpenLab, text: Any) -> None:
    """An error that says so; with ``estimate`` a figure that says that it is one."""
    metadata = {**vocabularies.bpe("qwen2"), "tokenizer.ggml.model": "brand-new"}
    async with open_lab(servers={A: server(metadata=metadata)}) as lab:
        for _ in range(2):
            with pytest.raises(TokenizerError, match="'brand-new' is not known") as caught:
                await lab.engine.count_tokens(MODEL, text)
            assert caught.value.model == MODEL
        count = await lab.engine.count_tokens(MODEL, text, estimate=True)
        assert (count.method, count.is_exact) == ("characters", False)
        assert count.count > 0
        assert lab.asked(A, "/api/show") == 1


def test_estimate_by_characters() -> None:
    """Letters of ASCII are cheap, of other alphabets less so, and signs for words are not."""
    assert estimate_text("") == 0
    assert estimate_text("a" * 35) == 10
    assert estimate_text("\u0416" * 20) == 10
    assert estimate_text("\u4e16" * 10) == estimate_text("\U0001f600" * 10) == 10


async def test_missing_extra(open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library for BPE, the error names the extra; an estimate needs none."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    monkeypatch.delitem(sys.modules, "triollama.tokens.bpe", raising=False)
    async with open_lab(servers={A: server()}) as lab:
        with pytest.raises(MissingExtraError, match=r"triollama\[tokenize\]"):
            await lab.engine.count_tokens(MODEL, "x")
        assert (await lab.engine.count_tokens(MODEL, "x", estimate=True)).count == 1


async def test_wrong_input(open_lab: OpenLab) -> None:
    """What is no text and no chat is refused before anybody is asked."""
    async with open_lab(servers={A: server()}) as lab:
        wrong: list[Any] = [7, None, b"x", [7], [{"content": "no role"}], "half \ud800"]
        for each in wrong:
            with pytest.raises(InvalidRequestError):
                await lab.engine.count_tokens(MODEL, each)
        with pytest.raises(InvalidRequestError, match="tools belong to a chat"):
            await lab.engine.count_tokens(MODEL, "x", tools=[{"function": {"name": "f"}}])
        assert lab.asked(A, "/api/tags") == 0


async def test_the_endpoint_that_has_the_model_is_asked(open_lab: OpenLab) -> None:
    """Of several the first one that has it; a broken one is passed over."""
    other = SimulatorConfig(models=(ModelConfig(name="other"),), **CALM)
    async with open_lab(servers={A: other, B: server()}) as lab:
        assert (await lab.engine.count_tokens(MODEL, "x")).count == 1
        assert (lab.asked(A, "/api/show"), lab.asked(B, "/api/show")) == (0, 1)
        with pytest.raises(ModelNotFoundError, match="there are: llama3"):
            await lab.engine.count_tokens("missing", "x")
        with pytest.raises(ModelNotFoundError):
            await lab.engine.count_tokens(MODEL, "x", endpoint="a:11434")
        with pytest.raises(ConfigError, match="no endpoint 'c'"):
            await lab.engine.count_tokens(MODEL, "x", endpoint="c")
        lab.fault(A, "refuse", rule={"routes": ()})
        assert (await lab.engine.count_tokens("llama3.2:latest", "x")).count == 1


async def test_no_endpoint_answers(open_lab: OpenLab) -> None:
    """Then the count fails as any request does."""
    async with open_lab(servers={A: server()}) as lab:
        lab.fault(A, "refuse", rule={"routes": ()})
        with pytest.raises(FleetUnavailableError):
            await lab.engine.count_tokens(MODEL, "x")


async def test_cancelled_anywhere(open_lab: OpenLab, cancel_at_step: type[CancelAtStep]) -> None:
    """Wherever a count is cancelled, the next one works, and nothing stays behind."""
    for step in range(1, 12):
        async with open_lab(servers={A: server()}) as lab:
            with cancel_at_step(step, of_any=True):
                await lab.engine.count_tokens(MODEL, MESSAGES)
            assert (await lab.engine.count_tokens(MODEL, MESSAGES)).is_exact


async def test_context_is_checked_before_sending(open_lab: OpenLab) -> None:
    """What does not fit is refused with the figures; room for the answer counts."""
    async with open_lab(servers={A: server()}) as lab:
        check = await lab.engine.check_context(MODEL, "Why?", options={"num_ctx": 100})
        assert (check.source, check.context_length, check.fits) == ("options", 100, True)
        assert check.left == 100 - check.tokens.count
        with pytest.raises(ContextExceededError) as caught:
            await lab.engine.check_context(
                MODEL, "Why?", options={"num_ctx": 100, "num_predict": 100}
            )
        assert caught.value.tokens == check.tokens.count + 100
        assert (caught.value.context_length, caught.value.is_exact) == (100, True)
        with pytest.raises(ContextExceededError, match="its context holds 100"):
            await lab.engine.check_context(
                MODEL, MESSAGES, options={"num_ctx": 100}, output_tokens=90
            )
        assert (await lab.engine.check_context(MODEL, "Why?")).source == "loaded"
        assert lab.served(A) == 0


async def test_the_window_is_that_of_the_server_with_the_model(open_lab: OpenLab) -> None:
    """Not that of the first one of the fleet, which has never heard of it."""
    other = SimulatorConfig(models=(ModelConfig(name="other"),), **CALM)
    async with open_lab(servers={A: other, B: server()}) as lab:
        check = await lab.engine.check_context(MODEL, "Why?")
        assert (check.source, check.context_length) == ("loaded", 4096)
        assert lab.asked(A, "/api/ps") == lab.asked(A, "/api/show") == 0


@pytest.mark.parametrize("room", ["5", -1, 1.5, True, float("nan")])
async def test_room_for_an_answer_that_is_no_number_of_tokens(open_lab: OpenLab, room: Any) -> None:
    """Refused before anybody is asked."""
    async with open_lab(servers={A: server()}) as lab:
        with pytest.raises(InvalidRequestError, match="output_tokens must be"):
            await lab.engine.check_context(MODEL, "Why?", output_tokens=room)
        assert lab.asked(A, "/api/tags") == 0


async def test_names_that_are_remembered_are_bounded(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a name is one, however it is written."""
    monkeypatch.setattr("triollama.tokens.counting.NAMES_MAX", 2)
    async with open_lab(servers={A: server()}) as lab:
        for name in (MODEL, f"{MODEL}:latest", MODEL.upper()):
            assert (await lab.engine.count_tokens(name, "x")).count == 1
        assert lab.asked(A, "/api/tags") == 1
        counter = lab.engine._count
        for endpoint in ("a:11434", None, "a:11434", None):
            await lab.engine.count_tokens(MODEL, "x", endpoint=endpoint)
            assert len(counter._known) <= 2


async def test_a_loaded_model_stays_as_it_is(open_lab: OpenLab) -> None:
    """Where the chat to count has the options of those that are answered."""
    options = {"num_ctx": 2048}
    async with open_lab(servers={A: server()}) as lab:
        await lab.engine.generate(MODEL, "x", options=options)
        for count in (lab.engine.check_context, lab.engine.count_tokens):
            await count(MODEL, MESSAGES, options=options)
            assert [each.context_length for each in (await lab.engine.ps()).models] == [2048]


async def test_a_server_that_has_gone_is_not_asked_for_ever(open_lab: OpenLab) -> None:
    """What was remembered of it is forgotten, and another one is asked."""
    async with open_lab(servers={A: server(), B: server()}) as lab:
        count = await lab.engine.count_tokens(MODEL, MESSAGES)
        lab.fault(A, "refuse", rule={"routes": ()})
        assert await lab.engine.count_tokens(MODEL, MESSAGES) == count
        assert (await lab.engine.check_context(MODEL, MESSAGES)).tokens == count
        with pytest.raises(FleetUnavailableError):
            await lab.engine.check_context(MODEL, MESSAGES, endpoint="a:11434")
