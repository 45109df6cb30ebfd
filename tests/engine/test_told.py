"""What a subscriber hears about requests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import triollama
from triollama import (
    AttemptFailed,
    EngineConfig,
    InvalidRequestError,
    StreamContinued,
    StreamEnded,
    StreamFact,
    StreamResent,
    StreamStarted,
)

A, B = "http://a:11434", "http://b:11434"
CONFIG = EngineConfig(first_token_s=3.0, stall_s=2.0)
QUESTION = ("llama3.2", "secret prompt")


async def heard(lab: Any, ask: Any) -> list[Any]:
    """The facts about streams while something is asked."""
    async with lab.engine.subscribe(StreamFact) as facts:
        with trio.move_on_after(1_000):
            with suppress(triollama.TriollamaError):
                await ask()
        told = []
        with trio.move_on_after(0.001):
            async for fact in facts:
                told.append(fact)
        assert facts.dropped == 0
    return told


async def test_a_quiet_life(autojump_clock: MockClock, open_lab: Any) -> None:
    """Started, ended, with the same number, and the tokens."""
    async with open_lab(A, config=CONFIG) as lab:
        for number in (1, 2):
            started, ended = await heard(lab, lambda: lab.engine.chat(*QUESTION))
            assert isinstance(started, StreamStarted)
            assert (started.stream, started.endpoint, started.waited_s) == (number, "a:11434", 0.0)
            assert isinstance(ended, StreamEnded)
            assert (ended.stream, ended.outcome, ended.error) == (number, "done", "")
            assert (ended.attempts, ended.output_tokens) == (1, 20)
            assert ended.took_s == pytest.approx(2.0, abs=0.2)


async def test_a_broken_stream(autojump_clock: MockClock, open_lab: Any) -> None:
    """Failed, started again, continued: with what had come, and the gap."""
    async with open_lab(config=CONFIG) as lab:
        for url in (A, B):
            lab.fault(url, "reset", after_tokens=5, rule={"nth": (1,)})
        started, failed, again, went_on, *_, ended = await heard(
            lab, lambda: lab.engine.chat(*QUESTION)
        )
        assert [type(each) for each in (started, failed, again, went_on)] == [
            StreamStarted,
            AttemptFailed,
            StreamStarted,
            StreamContinued,
        ]
        assert failed.characters == went_on.characters > 0
        assert went_on.way == "chat"
        assert went_on.endpoint == again.endpoint != failed.endpoint
        assert 0 < went_on.gap_s < 0.5
        assert (ended.outcome, ended.output_tokens) == ("done", 20)
        told = repr([started, failed, again, went_on, ended])
        assert "secret" not in told


async def test_a_request_that_is_sent_again(autojump_clock: MockClock, open_lab: Any) -> None:
    """Nothing had come yet, so it was not continued."""
    async with open_lab(config=CONFIG) as lab:
        for url in (A, B):
            lab.fault(url, "reset", after_bytes=0, rule={"nth": (1,)})
        told = await heard(lab, lambda: lab.engine.chat(*QUESTION))
        assert any(isinstance(each, StreamResent) for each in told)
        assert not any(isinstance(each, StreamContinued) for each in told)


async def test_a_failure(autojump_clock: MockClock, open_lab: Any) -> None:
    """The last fact has the error's kind."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, "status", status=400)
        *_, ended = await heard(lab, lambda: lab.engine.chat(*QUESTION))
        assert (ended.outcome, ended.error) == ("failed", "RequestRejectedError")


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"deadline_s": 0}, "deadline_s"),
        ({"deadline_s": -1}, "deadline_s"),
        ({"deadline_s": float("nan")}, "deadline_s"),
        ({"deadline_s": "soon"}, "deadline_s"),
        ({"priority": 11}, "priority must be from -10 to 10, not 11"),
        ({"priority": -11}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"priority": True}, "priority"),
        ({"on_break": "pray"}, "on_break must be one of 'continue', 'restart', 'raise'"),
        ({"on_break": []}, "on_break"),
        ({"caller": 5}, "caller"),
        ({"caller": "x" * 201}, "caller"),
        ({"tags": "gpu"}, "tags"),
        ({"tags": [5]}, "tags"),
        ({"tags": 5}, "tags"),
    ],
)
async def test_terms_that_make_no_sense(
    autojump_clock: MockClock, open_lab: Any, terms: dict[str, Any], told: str
) -> None:
    """They are refused before any work, and nothing is counted."""
    async with open_lab(A) as lab:
        with pytest.raises(InvalidRequestError, match=told):
            await lab.engine.chat(*QUESTION, **terms)
        with pytest.raises(InvalidRequestError, match=told):
            async with lab.engine.stream_generate(*QUESTION, **terms):
                pass
        assert lab.engine.statistics().accepted == 0
        assert lab.asked(A) == 0
