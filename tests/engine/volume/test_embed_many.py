"""`Engine.embed_many` over simulated servers."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import triollama
from triollama import FailedText, InvalidRequestError, ModelNotFoundError, RequestRejectedError

A, B = "http://a:11434", "http://b:11434"
MODEL = "nomic-embed-text"
TEXTS = [f"{number} bottles of beer" for number in range(200)]


@pytest.mark.slow
async def test_it_gives_what_embed_gives(autojump_clock: MockClock, open_lab: Any) -> None:
    """The same vectors in the same order, from all servers; tokens as the servers count them."""
    async with open_lab(A, B) as lab:
        whole = await lab.engine.embed(MODEL, TEXTS, dimensions=8)
        run = lab.engine.embed_many(MODEL, iter(TEXTS), dimensions=8, batch_count_max=20)
        async with run as vectors:
            assert tuple([each async for each in vectors]) == whole.embeddings
            numbers = vectors.progress()
        assert numbers.tokens == whole.prompt_eval_count
        assert numbers.requests == 10
        asked = lab.asked(A, "/api/embed"), lab.asked(B, "/api/embed")
        assert sum(asked) == 11
        assert min(asked) >= 3


async def test_a_text_that_cannot_be_sent(autojump_clock: MockClock, open_lab: Any) -> None:
    """Half a surrogate pair is refused here, and the rest of its batch is sent."""
    async with open_lab(A) as lab:
        texts = ["one", "half \ud800", "three"]
        async with lab.engine.embed_many(MODEL, texts, on_error="give", dimensions=2) as run:
            first, bad, third = await run.collect()
    assert isinstance(bad, FailedText)
    assert isinstance(bad.error, InvalidRequestError)
    assert not isinstance(first, FailedText)
    assert not isinstance(third, FailedText)
    assert len(first) == len(third) == 2


async def test_a_text_that_is_too_long(autojump_clock: MockClock, open_lab: Any) -> None:
    """With ``truncate=False`` the server refuses it, and only it."""
    async with open_lab(A) as lab:
        texts = ["one", "word " * 50_000, "three"]
        run = lab.engine.embed_many(MODEL, texts, on_error="give", truncate=False, dimensions=2)
        async with run as vectors:
            outcomes = await vectors.collect()
    assert [isinstance(each, FailedText) for each in outcomes] == [False, True, False]
    assert isinstance(outcomes[1], FailedText)
    assert isinstance(outcomes[1].error, RequestRejectedError)


async def test_a_server_that_dies_costs_nothing(autojump_clock: MockClock, open_lab: Any) -> None:
    """Its batches go to the other one."""
    async with open_lab(A, B) as lab:
        run = lab.engine.embed_many(MODEL, TEXTS[:60], dimensions=2, batch_count_max=5)
        async with run as vectors:
            given = [await anext(vectors) for _ in range(5)]
            lab.fault(A, "refuse")
            given += await vectors.collect()
        assert len(given) == 60


async def test_a_model_that_nobody_has(autojump_clock: MockClock, open_lab: Any) -> None:
    """It is raised, not told of every text."""
    async with open_lab(A) as lab:
        async with lab.engine.embed_many("nobody", TEXTS, on_error="give") as run:
            with pytest.raises(ModelNotFoundError):
                await run.collect()


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("one text", "texts is one str"),
        (b"bytes", "not bytes"),
        ({"a": 1}, "not dict"),
        (None, "not NoneType"),
        (5, "not int"),
    ],
)
async def test_what_are_no_texts(
    texts: Any, told: str, autojump_clock: MockClock, open_lab: Any
) -> None:
    """Refused before anything is sent."""
    async with open_lab(A) as lab:
        with pytest.raises(InvalidRequestError, match=told):
            lab.engine.embed_many(MODEL, texts)


async def test_all_mistakes_are_told_at_once(autojump_clock: MockClock, open_lab: Any) -> None:
    """Of the request, the limits and the texts."""
    async with open_lab(A) as lab:
        with pytest.raises(InvalidRequestError) as told:
            lab.engine.embed_many(
                "", "text", dimensions=-1, priority=99, batch_count_max=0, keep_alive="soon"
            )
    text = str(told.value)
    for part in ("model", "texts", "dimensions", "priority", "batch_count_max", "keep_alive"):
        assert part in text


@pytest.mark.parametrize("step", [1, 5, 10, 20, 40, 80])
async def test_cancelled_nothing_is_left(
    step: int, cancel_at_step: Any, autojump_clock: MockClock, open_lab: Any
) -> None:
    """No request goes on anywhere; `open_lab` looks at both sides."""
    async with open_lab(A, B) as lab:
        with cancel_at_step(step, of_any=True):
            async with lab.engine.embed_many(MODEL, TEXTS[:50], batch_count_max=10) as run:
                await run.collect()
        await trio.sleep(1)


def test_names_are_public() -> None:
    """What it gives can be named by its caller."""
    assert {"EmbedRun", "EmbedProgress", "FailedText", "TextFailedError"} <= set(triollama.__all__)
