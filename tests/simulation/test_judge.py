"""The judge sees what is wrong: each rule fails for an answer that breaks it, and only then."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from tests.simulation.asks import Ask, Reading
from tests.simulation.judge import complaints
from tests.simulation.reader import Reader
from tests.simulation.scenario import Scenario, draw
from tests.simulation.truth import Whole

from triollama import ChatResponse, EngineFaultError, Message, Usage
from triollama._errors import (
    DeadlineExceededError,
    FleetUnavailableError,
    OverloadError,
    RequestRejectedError,
    StreamBrokenError,
    TriollamaError,
)

WHOLE = Whole("one two three", "hm", done_reason="stop", output_tokens=5)
ASK = Ask(
    number=1,
    at_s=0.0,
    route="chat",
    model="llama3.2",
    asked="q",
    fields={},
    reading=Reading.EACH,
    rest_s=0.0,
    chunks=3,
    on_break="continue",
    deadline_s=None,
    patience_s=None,
    priority=0,
    caller="",
)
SCENARIO = attrs.evolve(draw(0), spared="http://s0:11434")


@attrs.frozen
class Tried:
    """An attempt, as far as the judge looks."""

    why: Any


@attrs.frozen
class Why:
    """An outcome of one."""

    value: str


def answer(content: str, thinking: str = "hm", tokens: int = 5) -> ChatResponse:
    """A whole answer."""
    return ChatResponse(
        message=Message(role="assistant", content=content, thinking=thinking),
        done=True,
        done_reason="stop",
        usage=Usage(output_tokens=tokens),
    )


def reader(outcome: str = "done", *, ask: Ask = ASK, **made: Any) -> Reader:
    """One who read the whole answer, unless said otherwise."""
    one = Reader(ask)
    one.outcome = outcome
    one.content, one.thinking = WHOLE.content, WHOLE.thinking
    one.partial = answer(WHOLE.content)
    done: Any = Tried(Why("done"))
    one.attempts = (done,)
    for name, value in made.items():
        setattr(one, name, value)
    return one


def broken(error: TriollamaError, ask: Ask = ASK, **made: Any) -> Reader:
    """One whose answer broke in its text."""
    short = {"content": "one ", "partial": answer("one two")} | made
    return reader("failed", ask=ask, error=error, **short)


def told(one: Reader, scenario: Scenario = SCENARIO) -> str:
    """The complaints about a reader, as one text."""
    return "\n".join(complaints(one, WHOLE, scenario))


def test_a_whole_answer_is_right() -> None:
    """Nothing is wrong with the truth."""
    assert not told(reader())


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        ({"content": "one two two three"}, "the text differs at 9"),
        ({"content": "one two thre"}, "is not whole"),
        ({"content": "one three"}, "the text differs at 5"),
        ({"thinking": "hmm"}, "the thinking differs"),
        ({"calls": ["call"]}, "tool calls are not the answer's"),
        ({"partial": answer("one two")}, "what was read of it differs"),
        ({"partial": answer("one two three", tokens=6)}, "output_tokens=6"),
        ({"given": answer("one two thre")}, "the answer is"),
        ({"attempts": ()}, "0 attempts"),
        ({"outcome": ""}, "no outcome"),
        ({"outcome": "left"}, "ended as left"),
        ({"outcome": "cancelled"}, "ended as cancelled"),
        ({"outcome": "gone"}, "though nobody did"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(made: dict[str, Any], complaint: str) -> None:
    """A character lost or doubled, another outcome, a wrong sum: each is seen."""
    assert complaint in told(reader(**made))


@pytest.mark.parametrize(
    "error",
    [
        EngineFaultError("a defect"),
        DeadlineExceededError("late", limit_s=1.0),
        FleetUnavailableError(()),
        RequestRejectedError("no", status=400),
        OverloadError("full", retry_after_s=1.0),
    ],
)
def test_a_failure_without_a_reason_is_told(error: TriollamaError) -> None:
    """With a healthy server there, and neither deadline nor short line, nothing may fail."""
    assert "failed with" in told(broken(error))


@pytest.mark.parametrize(
    ("changes", "may_break"),
    [
        ({}, False),
        ({"on_break": "raise"}, True),
        ({"fields": {"format": "json"}}, True),
        ({"fields": {"format": "json", "options": {"seed": 7, "temperature": 0}}}, False),
        ({"route": "generate"}, True),  # its thinking is over, but where is not known
    ],
)
def test_a_break_is_allowed_only_where_nothing_mends_it(
    changes: dict[str, Any], *, may_break: bool
) -> None:
    """The rules of continuing, for an answer that broke in its text after some thinking."""
    ask = attrs.evolve(ASK, **changes)
    error = StreamBrokenError("reset", reason="no way", content="one two")
    assert (not told(broken(error, ask=ask))) is may_break


def test_an_error_carries_what_had_arrived() -> None:
    """The text in the error is all that there was."""
    error = StreamBrokenError("reset", reason="no way", content="one")
    assert "the text in the error" in told(broken(error))
