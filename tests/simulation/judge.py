"""What must be true of one request in the end: exactly one outcome, and the truth so far.

Owns the rules, as functions of a reader and the unbroken answer; each gives complaints, as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from tests.simulation.asks import Reading
from tests.simulation.reader import Reader
from tests.simulation.scenario import Scenario
from tests.simulation.truth import Whole, call_text

from triollama import (
    AnswerTooLargeError,
    DeadlineExceededError,
    EngineClosedError,
    EngineFaultError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadError,
    RequestRejectedError,
    StreamBrokenError,
)

__all__ = ["complaints"]

_NEVER = (EngineFaultError, EngineClosedError, InvalidRequestError)
_ENDINGS = {
    "cancelled": (Reading.CANCELLED,),
    "left": (Reading.LEFT,),
}


def complaints(reader: Reader, whole: Whole, scenario: Scenario) -> Iterator[str]:
    """All that is wrong with what became of one request."""
    ask = reader.ask
    if not reader.outcome:
        yield "it has no outcome"
    yield from _about_text(reader, whole)
    match reader.outcome:
        case "done" if reader.given is not None:
            yield from _about_given(reader.given, whole)
        case "done":
            yield from _about_read(reader, whole)
        case "failed":
            yield from _about_failure(reader, scenario)
        case "gone" if ask.patience_s is None:
            yield "it was cancelled, though nobody did"
        case outcome if ask.reading not in _ENDINGS.get(outcome, (ask.reading,)):
            yield f"it ended as {outcome}, though it was read {ask.reading.value}"


def _about_text(reader: Reader, whole: Whole) -> Iterator[str]:
    """What was read, and what had arrived, are beginnings of the one unbroken answer."""
    if not whole.content.startswith(reader.content):
        yield _differs("the text", reader.content, whole.content)
    if not whole.thinking.startswith(reader.thinking):
        yield _differs("the thinking", reader.thinking, whole.thinking)
    if tuple(reader.calls) != whole.calls[: len(reader.calls)]:
        yield "the tool calls are not the answer's"
    if reader.partial is None:
        return
    arrived = reader.partial.content
    if not whole.content.startswith(arrived):
        yield _differs("the text that arrived", arrived, whole.content)
    # A reader who left may not have been told yet that the answer began anew.
    if not arrived.startswith(reader.content) and reader.ask.on_break != "restart":
        yield _differs("what was read of it", reader.content, arrived)
    error = reader.error
    if isinstance(error, StreamBrokenError) and error.content != arrived:
        yield _differs("the text in the error", error.content, arrived)


def _about_read(reader: Reader, whole: Whole) -> Iterator[str]:
    """A stream that was read to its end gave everything, and tells what it cost."""
    if (reader.content, reader.thinking) != (whole.content, whole.thinking):
        yield "it ended well, but is not whole"
    if tuple(reader.calls) != whole.calls:
        yield "it ended well, without all its tool calls"
    yield from _about_given(reader.partial, whole)
    done = [attempt for attempt in reader.attempts if attempt.why.value == "done"]
    # With all its tokens there, an answer whose last line alone was lost is whole nevertheless.
    is_counted = "num_predict" in (reader.ask.fields.get("options") or {})
    if len(done) != 1 and not (is_counted and not done):
        yield f"{len(done)} attempts are said to have ended it"


def _about_given(answer: Any, whole: Whole) -> Iterator[str]:
    """A whole answer is the unbroken one in all its parts."""
    if whole.embeddings:
        if tuple(map(tuple, answer.embeddings)) != whole.embeddings:
            yield "the embeddings are others"
        return
    calls = tuple(
        call_text(call.id, call.function.name, call.function.arguments)
        for call in answer.tool_calls
    )
    got = Whole(
        content=answer.content,
        thinking=answer.thinking or "",
        calls=calls,
        done_reason=answer.done_reason or "",
        output_tokens=answer.usage.output_tokens,
    )
    if whole.thinking and got.output_tokens == whole.output_tokens - 1:
        # Of an answer that broke, the token between thinking and text is lost: no chunk shows it.
        got = attrs.evolve(got, output_tokens=whole.output_tokens)
    if got != whole:
        yield f"the answer is {got}, not {whole}"


def _about_failure(reader: Reader, scenario: Scenario) -> Iterator[str]:
    """A request may fail only for a reason that this scenario gives."""
    ask, error = reader.ask, reader.error
    assert error is not None
    told = f"it failed with {type(error).__name__}: {error}"
    match error:
        case _ if isinstance(error, _NEVER):
            yield told
        case DeadlineExceededError():
            if ask.deadline_s is None:
                yield f"{told}, though it has no deadline"
        case OverloadError():
            # What cannot be done before the deadline is refused at once.
            if not scenario.may_overload and ask.deadline_s is None:
                yield f"{told}, though the line was never full"
        case _ if isinstance(error, AnswerTooLargeError) or isinstance(
            error.__cause__, AnswerTooLargeError
        ):
            if not scenario.has_fault("huge_line"):
                yield told
        case StreamBrokenError() if not can_go_on(reader):
            pass
        case RequestRejectedError() if not isinstance(error, ModelNotFoundError):
            yield told  # nothing in the menu rejects a request
        case _:
            if scenario.spared:
                yield f"{told}, though {scenario.spared} is there"


def can_go_on(reader: Reader) -> bool:
    """Whether a break of this answer, where it broke, can be mended."""
    ask = reader.ask
    if ask.on_break == "restart" or ask.reading is Reading.WHOLE:
        return True
    if ask.on_break == "raise":
        return False
    if ask.is_repeatable:
        return True
    arrived = reader.partial
    if arrived.tool_calls or "format" in ask.fields or not arrived.content:
        return False
    return ask.route == "chat" or not arrived.thinking


def _differs(what: str, found: str, wanted: str) -> str:
    """Where two texts part."""
    at = next(
        (at for at, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b),
        min(len(found), len(wanted)),
    )
    near = slice(max(0, at - 12), at + 12)
    return f"{what} differs at {at}: {found[near]!r}, not {wanted[near]!r}"
