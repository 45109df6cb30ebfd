"""One row through the engine: when it is asked again, and when not."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama import (
    DeadlineExceededError,
    FleetUnavailableError,
    InvalidRequestError,
    ModelNotFoundError,
    TriollamaError,
    open_engine,
)
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import PAUSE_S_MAX, Asker, can_help_again, pause_s
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig, open_fleet

A = "http://a:11434"
CHAT = Ask("chat", {"model": "llama3.2", "messages": [{"role": "user", "content": "why?"}]})


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (FleetUnavailableError(()), True),
        (DeadlineExceededError("late", limit_s=1.0), True),
        (InvalidRequestError("wrong"), False),
        (ModelNotFoundError("m", available=()), False),
    ],
)
def test_what_is_asked_again(error: TriollamaError, *, helps: bool) -> None:
    """Not what is wrong with the request itself."""
    assert can_help_again(error) is helps


def test_pauses_double_up_to_a_limit() -> None:
    """With full jitter: anything from nothing to the whole."""
    assert [pause_s(tries, 0.5) for tries in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert pause_s(50, 1.0) == PAUSE_S_MAX
    assert pause_s(9, 0.0) == 0.0


@pytest.mark.parametrize("ask", [CHAT, Ask("generate", {"model": "llama3.2", "prompt": "why?"})])
async def test_an_answer_comes_with_its_stream(autojump_clock: MockClock, ask: Ask) -> None:
    """Its attempts and times are wanted for the record."""
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        asked = await Asker(engine).ask(ask)
    assert asked.error is None
    assert asked.answer is not None
    assert asked.answer.done
    assert asked.stream is not None
    assert asked.stream.endpoint == "a:11434"
    assert asked.tries == 1


async def test_vectors_come_without_one(autojump_clock: MockClock) -> None:
    """Embeddings are no stream."""
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        asked = await Asker(engine).ask(
            Ask("embed", {"model": "nomic-embed-text", "input": ["a", "b"]})
        )
    assert len(asked.answer.embeddings) == 2
    assert asked.stream is None


@pytest.mark.parametrize(("count", "tries"), [(0, 1), (30, 3)])
async def test_a_fleet_that_is_down_is_asked_again(
    autojump_clock: MockClock, count: int, tries: int
) -> None:
    """As often as is allowed, and what is told is the last failure."""
    rule = FaultRule(fault=Fault(kind="status", status=500), routes=("/api/chat",))
    config = SimulatorConfig(faults=(rule,) if count else ())
    async with (
        open_fleet({A: config}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        asked = await Asker(engine, tries_max=3, draw=lambda: 0.5).ask(CHAT)
    assert asked.tries == tries
    assert (asked.error is None) == (count == 0)


async def test_a_mistake_is_told_at_once(autojump_clock: MockClock) -> None:
    """Asking again cannot help."""
    ask = Ask("chat", CHAT.arguments | {"model": "stranger"})
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):
        asked = await Asker(engine).ask(ask)
    assert isinstance(asked.error, ModelNotFoundError)
    assert asked.tries == 1


@pytest.mark.parametrize(
    ("asked", "default", "sent"),
    [(None, "30m", "30m"), ("1h", "30m", "1h"), (None, None, None)],
)
async def test_models_stay_loaded(
    autojump_clock: MockClock, asked: str | None, default: str | None, sent: str | None
) -> None:
    """So long after each row, unless the row says how long; a pause does not load them again."""
    terms: list[object] = []

    class Noting:
        endpoints = ("a",)

        async def embed(self, *, keep_alive: object = None, **_: object) -> str:
            await trio.lowlevel.checkpoint()
            terms.append(keep_alive)
            return "vectors"

    arguments = {"model": "m", "input": "x"} | ({"keep_alive": asked} if asked else {})
    engine: Any = Noting()
    await Asker(engine, keep_alive=default).ask(Ask("embed", arguments))
    assert terms == [sent]
