"""Answers that break while they are read as objects, or while tools are run."""

from __future__ import annotations

from typing import Any

import attrs
from trio.testing import MockClock

from triollama import ToolAnswerChunk, ToolAnswerRestarted, ToolEvent, ToolRoundBegan
from triollama_adapters.simulator import Fault, FaultRule

A, B = "http://a:11434", "http://b:11434"


@attrs.frozen
class Film:
    """A film, of several tokens."""

    title: str
    year: int
    actors: list[str]
    summary: str


def break_once(lab: Any, after_tokens: int) -> None:
    """The next answer of each server breaks after so many tokens."""
    for url in (A, B):
        fault = Fault(kind="reset", after_tokens=after_tokens)
        lab.fleet.set_faults(url, FaultRule(fault=fault, nth=(1,)))


async def test_partials_begin_anew_with_the_answer(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """The parts of the broken answer are forgotten; the last part is the whole object."""
    async with open_lab() as lab:
        whole = await lab.engine.chat("llama3.2", "A film.", format=Film)
        break_once(lab, 12)
        async with lab.engine.stream_chat(
            "llama3.2", "A film.", format=Film, on_break="restart"
        ) as stream:
            parts = [part async for part in stream.partials()]
            assert parts[-1].whole == await stream.parsed() == whole
            assert len(stream.stream.attempts) >= 2
        counts = [len(part.value) for part in parts if isinstance(part.value, dict)]
        assert counts != sorted(counts), "a later part has less than an earlier one"


async def test_a_run_tells_that_an_answer_begins_anew(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """Between the chunks of the two."""

    async def unused() -> None:
        """Nobody asks for this."""

    async with open_lab() as lab:
        break_once(lab, 5)
        events: list[ToolEvent] = []
        async with lab.engine.run_tools(
            "llama3.2", "why?", tools=[unused], on_break="restart"
        ) as run:
            async for event in run:
                events.append(event)
        kinds = [type(event) for event in events]
        assert kinds[0] is ToolRoundBegan
        at = max(at for at, kind in enumerate(kinds) if kind is ToolAnswerRestarted)
        text = "".join(
            each.chunk.content for each in events[at:] if isinstance(each, ToolAnswerChunk)
        )
        assert run.response is not None
        assert text == run.response.content
