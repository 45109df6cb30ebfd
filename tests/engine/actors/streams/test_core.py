"""What a status means and what becomes of a request after a failure: the whole tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama import _errors
from triollama._errors import (
    AccessDeniedError,
    AnswerTooLargeError,
    ConfigError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    EndpointError,
    EngineClosedError,
    EngineFaultError,
    FleetUnavailableError,
    InvalidRequestError,
    MissingExtraError,
    ModelNotFoundError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    SignInRequiredError,
    StallError,
    StreamBrokenError,
    StreamCancelledError,
    StreamRestartedError,
    TriollamaError,
    TruncatedError,
)
from triollama.actors.pool.messages import Outcome
from triollama.actors.streams.core import (
    ERROR_TEXT_MAX,
    RETRY_AFTER_S_MAX,
    STALE_MAX,
    Exclusion,
    ReplayMismatchError,
    Waited,
    refusal,
    retry_after_s,
    verdict,
    waited_for_slot,
)
from triollama.api import Usage

AGAIN = [  # another endpoint is tried, and the pool is told this
    (ModelNotFoundError("m"), Outcome.MODEL_MISSING),
    (ServerBusyError("busy", status=503), Outcome.BUSY),
    (ServerBusyError("busy", status=429), Outcome.BUSY),
    (ConnectError("x"), Outcome.UNREACHABLE),
    (ConnectionLostError("x"), Outcome.UNREACHABLE),
    (ProtocolError("x"), Outcome.FAILED),
    (TruncatedError("x"), Outcome.FAILED),
    (StallError("stall_s", 1.0), Outcome.FAILED),
    (ServerFailedError("x", status=500), Outcome.FAILED),
    (ServerFailedError("x", status=200), Outcome.FAILED),
    (StreamBrokenError("x", reason="y"), Outcome.FAILED),
    (EndpointError("x"), Outcome.FAILED),
]
NEVER = [
    (AnswerTooLargeError("x"), Outcome.FAILED),
    (RequestRejectedError("x", status=400), Outcome.REJECTED),
    (AccessDeniedError("x", status=401), Outcome.REJECTED),
    (SignInRequiredError("x"), Outcome.REJECTED),
    (MissingExtraError("schema", "x"), Outcome.UNUSED),
    (InvalidRequestError("x"), Outcome.UNUSED),
    (ConfigError("x"), Outcome.UNUSED),
    (DeadlineExceededError("x", limit_s=1.0), Outcome.UNUSED),
    (OverloadError("x", retry_after_s=1.0), Outcome.UNUSED),
    (EngineClosedError("x"), Outcome.UNUSED),
    (EngineFaultError("x"), Outcome.UNUSED),
    (StreamCancelledError("x"), Outcome.UNUSED),
    (StreamRestartedError("x"), Outcome.UNUSED),
    (FleetUnavailableError(()), Outcome.UNUSED),
]


def test_the_tables_know_every_error() -> None:
    """A new kind of error has to be given its place here."""
    known = {type(error) for error, _ in AGAIN + NEVER}
    bases = {"TriollamaError", "CallerError", "EngineError"}
    assert {kind.__name__ for kind in known} == set(_errors.__all__) - bases


@pytest.mark.parametrize(("error", "outcome"), AGAIN, ids=lambda v: type(v).__name__)
def test_an_endpoints_failure_is_tried_elsewhere(error: TriollamaError, outcome: Outcome) -> None:
    """Another endpoint is tried, and the pool is told how this one was."""
    decided = verdict(error)
    assert decided.tries_again
    lacks = outcome is Outcome.MODEL_MISSING
    assert decided.excludes is (Exclusion.LACKS if lacks else Exclusion.TRIED)
    assert decided.outcome is outcome


@pytest.mark.parametrize(("error", "outcome"), NEVER, ids=lambda v: type(v).__name__)
def test_the_callers_and_our_own_are_raised(error: TriollamaError, outcome: Outcome) -> None:
    """What no other endpoint can change is not tried again."""
    decided = verdict(error)
    assert not decided.tries_again
    assert decided.outcome is outcome


def test_another_answer_to_the_same_is_nobodys_failure() -> None:
    """A replay that differs says nothing about the server's health."""
    decided = verdict(ReplayMismatchError("x"))
    assert (decided.tries_again, decided.outcome) == (False, Outcome.UNUSED)


@pytest.mark.parametrize("before", range(STALE_MAX + 2))
def test_a_stale_connection_is_no_failure_until_it_is_one_too_many(before: int) -> None:
    """The same endpoint is tried again, up to `STALE_MAX` times; then it counts as a failure."""
    decided = verdict(ConnectionLostError("x", stale=True), stale_before=before)
    is_stale = before < STALE_MAX
    assert decided.tries_again
    assert decided.excludes is (Exclusion.NONE if is_stale else Exclusion.TRIED)
    assert decided.outcome is (Outcome.UNUSED if is_stale else Outcome.UNREACHABLE)


# ---- the status


def refused(
    status: int, text: str = '{"error":"oh no"}', *, model: str = "m", retry: str | None = None
) -> TriollamaError:
    """The error for a response."""
    return refusal(status, text.encode(), endpoint="a", model=model, retry_after=retry)


@pytest.mark.parametrize("status", [s for s in range(100, 600) if s != 200])
def test_every_status_has_an_owner(status: int) -> None:
    """4xx and 501 are the caller's, 429 is push-back, 5xx the server's, the rest nobody's."""
    error = refused(status)
    if status == 429:
        expected: type[TriollamaError] = ServerBusyError
    elif status >= 500 and status != 501:
        expected = ServerFailedError
    elif status in {401, 403}:
        expected = AccessDeniedError
    elif status >= 400:
        expected = RequestRejectedError
    else:
        expected = ProtocolError
    assert type(error) is expected
    assert str(status) in str(error)


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (404, '{"error":"model \'m\' not found"}', ModelNotFoundError),
        (404, '{"error":"something else"}', RequestRejectedError),
        (404, "404 page not found", ProtocolError),
        (404, "<html>not found</html>", ProtocolError),
        (405, "<html>Not Allowed</html>", ProtocolError),
        (405, '{"error":"method not allowed"}', RequestRejectedError),
        (401, "<html>who are you?</html>", AccessDeniedError),
        (501, '{"error":"This server does not support embeddings"}', RequestRejectedError),
        (501, "<html>Not Implemented</html>", ServerFailedError),
        (502, "<html>Bad Gateway</html>", ServerFailedError),
        (503, '{"error":"server busy, please try again.  maximum pending"}', ServerBusyError),
        (503, '{"error":"shutting down"}', ServerFailedError),
        (429, "", ServerBusyError),
        (400, '{"error":{"message":"invalid options"}}', RequestRejectedError),
        (307, "", ProtocolError),
        (204, "", ProtocolError),
    ],
)
def test_what_the_text_adds(status: int, text: str, expected: type[TriollamaError]) -> None:
    """A 404 and a 503 mean one thing or another by their text."""
    assert type(refused(status, text)) is expected


def test_a_404_without_a_model_is_no_missing_model() -> None:
    """Where no model is involved, none can be missing."""
    error = refused(404, '{"error":"not found"}', model="")
    assert type(error) is RequestRejectedError


def test_a_redirect_says_what_to_do() -> None:
    """Nothing is followed; the address is to be given."""
    assert "redirect" in str(refused(302))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error":"plain"}', "plain"),
        (b'{"error":{"message":"nested"}}', "nested"),
        (b'{"error":7}', '{"error":7}'),
        (b" <!DOCTYPE html><html>", "a page of HTML"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", "no reason given"),
        (b"  ", "no reason given"),
        (b"[" * 100_000, "[" * ERROR_TEXT_MAX),
        (b'{"error":"' + b"x" * 5_000 + b'"}', "x" * ERROR_TEXT_MAX),
    ],
)
def test_the_servers_own_words(body: bytes, shown: str) -> None:
    """The error of a JSON object, else the beginning of the body; never more than the limit."""
    error = refusal(500, body, endpoint="a", model="m", retry_after=None)
    assert isinstance(error, ServerFailedError)
    assert error.message == f"the server failed with status 500: {shown}"
    assert (error.status, error.endpoint) == (500, "a")


# ---- push-back


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("5", 5.0),
        (" 5 ", 5.0),
        (str(RETRY_AFTER_S_MAX - 1).partition(".")[0], RETRY_AFTER_S_MAX - 1),
        ("60", 60.0),
        ("61", 60.0),
        (str(10**9), 60.0),
        ("9" * 10_000, 60.0),
        ("-1", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("soon", None),
        ("", None),
        ("-", None),
        ("1.5", None),
        ("nan", None),
        ("٣", None),
        ("0x10", None),
    ],
)
def test_retry_after_is_clamped(value: str | None, seconds: float | None) -> None:
    """A number within [0, 60] s, or nothing."""
    assert retry_after_s(value) == seconds
    error = refused(429, retry=value)
    assert isinstance(error, ServerBusyError)
    assert error.retry_after_s == seconds


@given(st.text(max_size=30))
def test_no_retry_after_can_do_harm(value: str) -> None:
    """Any text gives None or a number in the bounds."""
    seconds = retry_after_s(value)
    assert seconds is None or 0.0 <= seconds <= RETRY_AFTER_S_MAX


@given(st.integers(100, 999), st.binary(max_size=60), st.none() | st.text(max_size=9))
def test_any_refusal_is_a_typed_error(status: int, body: bytes, retry: str | None) -> None:
    """No status, body or header raises anything but gives an error with a text."""
    error = refusal(status, body, endpoint="a", model="m", retry_after=retry)
    assert isinstance(error, TriollamaError)
    assert str(error)


@pytest.mark.parametrize("body", ["not found", "\x1f\ufffd\x08", '{"error":"model', "{}", "[]"])
def test_a_404_that_is_not_ollamas_says_nothing_about_the_model(body: str) -> None:
    """Cut, compressed or plain: it is the endpoint's failure, and another one is asked."""
    assert isinstance(refused(404, body), ProtocolError)
    assert isinstance(refused(404, '{"error":"model \'m\' not found"}'), ModelNotFoundError)


# ---- the wait for a slot


@pytest.mark.parametrize(
    ("total", "first_s", "took_s", "waited"),
    [
        (10, 4.0, 10.0, Waited(0.0, 9.0)),  # load 1, prompt 3, answer 6: all of it
        (15, 9.0, 15.0, Waited(5.0, 9.0)),  # five seconds in line
        (15, 4.0, 15.0, Waited(0.0, 14.0)),  # five seconds behind a slow reader
        (2, 4.0, 10.0, Waited(0.0, 9.0)),  # a server whose numbers do not add up
    ],
)
def test_what_is_left_of_the_total_is_the_wait(
    total: int, first_s: float, took_s: float, waited: Waited
) -> None:
    """As far as it lies before the first token; what comes later is the reader's."""
    second = 10**9
    usage = Usage(
        total_ns=total * second, load_ns=second, prefill_ns=3 * second, decode_ns=6 * second
    )
    assert waited_for_slot(usage, first_token_s=first_s, took_s=took_s) == waited
