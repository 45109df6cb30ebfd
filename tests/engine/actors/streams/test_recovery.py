"""What becomes of a request after an attempt has failed, as one pure decision."""

from __future__ import annotations

from typing import Any

import pytest

from triollama._errors import (
    AnswerTooLargeError,
    ConnectionLostError,
    DeadlineExceededError,
    EngineClosedError,
    FleetUnavailableError,
    ModelNotFoundError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    StallError,
    StreamBrokenError,
    StreamCancelledError,
    TriollamaError,
    TruncatedError,
)
from triollama.actors.streams.messages import OnBreak
from triollama.actors.streams.recovery import CONCLUDED, Again, Recovery
from triollama.actors.streams.resume import Delivered, Way, make_call
from triollama.api import ChatRequest

LOST = ConnectionLostError("cut", endpoint="a")
NOTHING = Delivered(seen=False)


def recovery(on_break: OnBreak = OnBreak.CONTINUE, **fields: Any) -> Recovery:
    """Of a chat, with three attempts."""
    return Recovery(make_call(ChatRequest.make("m", "why?", **fields)), on_break, 3)


def some(tokens: int, content: str = "some text", *, seen: bool = True) -> Delivered:
    """What has arrived."""
    return Delivered(content, tokens=tokens, seen=seen)


def test_before_anything_arrived_the_request_is_sent_elsewhere() -> None:
    """The endpoint that failed is not used again while there is another one."""
    state = recovery()
    assert state.after(LOST, "a", NOTHING) == Again(Way.RESEND)
    assert state.tried == {"a"}
    assert state.after(StallError("first_token_s", 1.0), "b", NOTHING) == Again(Way.RESEND)
    assert state.tried == {"a", "b"}


def test_attempts_that_bring_nothing_are_counted() -> None:
    """The third one in a row is the last, and its error has all three causes."""
    state = recovery()
    for endpoint in "ab":
        state.after(LOST, endpoint, NOTHING)
    last = state.after(TruncatedError("no end"), "c", NOTHING)
    assert isinstance(last, FleetUnavailableError)
    assert [type(cause) for cause in last.causes] == [
        ConnectionLostError,
        ConnectionLostError,
        TruncatedError,
    ]


def test_an_attempt_that_brings_something_begins_the_count_anew() -> None:
    """An answer may break as often as it likes, if it comes nearer to its end each time."""
    state = recovery()
    for tokens in range(1, 50):
        step = state.after(LOST, "ab"[tokens % 2], some(tokens))
        assert step == Again(Way.CHAT, has_begun=True)
        assert state.tried == {"ab"[tokens % 2]}
    for barren in range(2, 5):
        assert state.after(LOST, "a", some(49)) == Again(Way.CHAT, has_begun=True), barren
    broken = state.after(LOST, "b", some(49))
    assert isinstance(broken, StreamBrokenError)
    assert broken.content == "some text"
    assert "no endpoint could go on with it" in str(broken)
    assert isinstance(broken.__cause__, FleetUnavailableError)


def test_a_stale_connection_is_nobodys_fault() -> None:
    """The same endpoint may be used at once, but not for ever."""
    state = recovery()
    stale = ConnectionLostError("closed", stale=True)
    for _ in range(3):
        assert state.after(stale, "a", NOTHING) == Again(Way.RESEND, is_stale=True)
    assert (state.tried, state.barren) == (frozenset(), 0)
    assert state.after(stale, "a", NOTHING) == Again(Way.RESEND)
    assert state.tried == {"a"}


def test_who_lacks_the_model_is_not_asked_again() -> None:
    """That is no failure: as many as there are may lack it."""
    state = recovery()
    for endpoint in "abcdef":
        assert state.after(ModelNotFoundError("m"), endpoint, NOTHING) == Again(Way.RESEND)
    assert state.lacking == frozenset("abcdef")
    assert state.is_lacking_everywhere
    last = state.after(FleetUnavailableError(()), "f", NOTHING)
    assert isinstance(last, FleetUnavailableError)
    assert len(last.causes) == 6


@pytest.mark.parametrize(
    "error",
    [
        RequestRejectedError("no", status=400),
        AnswerTooLargeError("too large"),
        OverloadError("full", retry_after_s=1.0),
        DeadlineExceededError("late", limit_s=1.0),
        StreamCancelledError("cancelled"),
        EngineClosedError("closed"),
    ],
)
def test_some_failures_are_the_end(error: TriollamaError) -> None:
    """Another attempt could not help, so the error is raised as it is."""
    assert recovery().after(error, "a", NOTHING) is error


@pytest.mark.parametrize("error", [RequestRejectedError("no", status=400), AnswerTooLargeError("")])
def test_with_text_the_end_carries_it(error: TriollamaError) -> None:
    """A reader who has seen a part gets the part with the error, and the error as its cause."""
    broken = recovery().after(error, "a", some(2))
    assert isinstance(broken, StreamBrokenError)
    assert (broken.content, broken.__cause__) == ("some text", error)
    assert "some text" not in str(broken) + repr(broken)


@pytest.mark.parametrize(
    "error", [DeadlineExceededError("late", limit_s=1.0), StreamCancelledError("cancelled")]
)
def test_the_callers_own_end_stays_what_it_is(error: TriollamaError) -> None:
    """A deadline is not a broken answer, even in the middle of one."""
    assert recovery().after(error, "a", some(2)) is error


def test_what_cannot_be_gone_on_with_is_raised_with_its_reason() -> None:
    """A structured output cannot be spliced."""
    broken = recovery(format="json").after(ProtocolError("junk"), "a", some(2))
    assert isinstance(broken, StreamBrokenError)
    assert "cannot be gone on with" in str(broken)
    unseen = recovery(format="json").after(ProtocolError("junk"), "a", some(2, seen=False))
    assert unseen == Again(Way.RESTART, has_begun=True)


def test_on_break_raise_says_so() -> None:
    """The caller asked for it."""
    broken = recovery(OnBreak.RAISE).after(LOST, "a", some(2))
    assert isinstance(broken, StreamBrokenError)
    assert "on_break" in str(broken)
    assert recovery(OnBreak.RAISE).after(LOST, "a", NOTHING) == Again(Way.RESEND)


def test_an_answer_with_all_its_tokens_is_whole() -> None:
    """Its last line can be written without the server."""
    state = recovery(options={"num_predict": 2})
    assert state.after(LOST, "a", some(1)) == Again(Way.CHAT, has_begun=True)
    assert state.after(LOST, "a", some(2)) is CONCLUDED


def test_an_answer_that_was_cut_off_is_not_gone_on_with() -> None:
    """A server that ends a model's repetition would have to end it again and again."""
    text = "na " * 40
    broken = recovery().after(TruncatedError("no end"), "a", some(40, text))
    assert isinstance(broken, StreamBrokenError)
    assert "repeating itself" in str(broken)
    assert recovery().after(LOST, "a", some(40, text)) == Again(Way.CHAT, has_begun=True)
