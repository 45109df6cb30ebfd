"""What failures mean: a response's status, and what an error says about its endpoint.

No IO. `refusal` turns a status other than 200 into an error with an owner; `verdict` says whether
another attempt makes sense, and what the pool is told of the endpoint. What then becomes of the
request is decided in `recovery`.

=============================  =======  ======================  =================
failure                        again    the endpoint is          the pool is told
=============================  =======  ======================  =================
closed while idle (stale)      yes      used again              unused
model missing                  yes      not used                model missing
rejected (other 4xx, 501)      no                               rejected
busy (429, 503 of its queue)   yes      used if no other is     busy
no connection, or it was cut   yes      used if no other is     unreachable
answer over our own limit      no                               failed
replayed, and was another      no                               unused
any other endpoint error       yes      used if no other is     failed
this process's own             no                               unused
=============================  =======  ======================  =================
"""

from __future__ import annotations

import enum
from contextlib import suppress

import attrs
import msgspec

from triollama._errors import (
    AccessDeniedError,
    AnswerTooLargeError,
    ConnectError,
    ConnectionLostError,
    EndpointError,
    EngineClosedError,
    ModelNotFoundError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    SignInRequiredError,
    StreamCancelledError,
    TriollamaError,
)
from triollama._frozen import frozen_for_checker
from triollama.actors.pool.messages import Outcome
from triollama.actors.streams.messages import Ended
from triollama.api import Usage

RETRY_AFTER_S_MAX = 60.0
"""More than this a server may not ask for; gRPC's push-back rules clamp likewise."""

ERROR_TEXT_MAX = 1_000
"""Characters of a server's error text that are kept; some servers answer with a page."""

_PAGE = "a page of HTML"
"""What is told of one: its text says nothing about Ollama."""

STALE_MAX = 3
"""Reused connections that may turn out closed within one request; then it counts as a failure."""


class Exclusion(enum.Enum):
    """Whether the endpoint that failed may be used for the same request again."""

    NONE = "none"
    TRIED = "tried"
    LACKS = "lacks"


@attrs.frozen
class Verdict:
    """What a failed attempt means.

    Attributes:
        tries_again: whether another attempt makes sense.
        excludes: whether this endpoint is left out of it.
        outcome: what the pool is told.
    """

    tries_again: bool
    excludes: Exclusion
    outcome: Outcome


class ReplayMismatchError(EndpointError):
    """An answer that could only be the same was another one; raised and handled in here."""


_STALE = Verdict(tries_again=True, excludes=Exclusion.NONE, outcome=Outcome.UNUSED)
_OURS = Verdict(tries_again=False, excludes=Exclusion.NONE, outcome=Outcome.UNUSED)
_MISSING = Verdict(tries_again=True, excludes=Exclusion.LACKS, outcome=Outcome.MODEL_MISSING)
_REJECTED = Verdict(tries_again=False, excludes=Exclusion.TRIED, outcome=Outcome.REJECTED)
_TOO_LARGE = Verdict(tries_again=False, excludes=Exclusion.TRIED, outcome=Outcome.FAILED)


def _elsewhere(outcome: Outcome) -> Verdict:
    return Verdict(tries_again=True, excludes=Exclusion.TRIED, outcome=outcome)


_VERDICTS: tuple[tuple[type[TriollamaError], Verdict], ...] = (
    (ModelNotFoundError, _MISSING),
    (RequestRejectedError, _REJECTED),
    (ServerBusyError, _elsewhere(Outcome.BUSY)),
    (ConnectError, _elsewhere(Outcome.UNREACHABLE)),
    (ConnectionLostError, _elsewhere(Outcome.UNREACHABLE)),
    (AnswerTooLargeError, _TOO_LARGE),
    (ReplayMismatchError, _OURS),
    (EndpointError, _elsewhere(Outcome.FAILED)),
    (TriollamaError, _OURS),
)
"""The first that fits counts."""


def verdict(error: TriollamaError, *, stale_before: int = 0) -> Verdict:
    """What it means that an attempt ended with `error`; see the table above.

    Args:
        error: why the attempt failed.
        stale_before: connections of this request that had turned out closed before.
    """
    if isinstance(error, ConnectionLostError) and error.stale and stale_before < STALE_MAX:
        return _STALE
    return next(decided for kind, decided in _VERDICTS if isinstance(error, kind))


def refusal(
    status: int, body: bytes, *, endpoint: str, model: str, retry_after: str | None
) -> TriollamaError:
    """The error that a response with a status other than 200 stands for.

    Args:
        status: the HTTP status.
        body: its body, or the beginning of it.
        endpoint: the endpoint's name.
        model: the model that was asked for; empty if none.
        retry_after: the header of that name.
    """
    told = _told_error(body)
    text = told or _plain_text(body)
    # Ollama answers in JSON; its router, and any other web server, in words of their own.
    is_unknown_route = status in {404, 405} and told is None
    match status:
        case 404 if model and "not found" in text and not is_unknown_route:
            return ModelNotFoundError(model, status=status, endpoint=endpoint)
        case 429 | 503 if status == 429 or "busy" in text:
            wait_s = retry_after_s(retry_after)
            return ServerBusyError(text, status=status, endpoint=endpoint, retry_after_s=wait_s)
        case 501 if told is not None:  # the model cannot do it, such as embed; no other server can
            return _rejected(status, text, body, endpoint)
        case _ if status >= 500:
            return ServerFailedError(text, status=status, endpoint=endpoint)
        case _ if status >= 400 and not is_unknown_route:
            return _rejected(status, text, body, endpoint)
    return ProtocolError(_not_ollama(status), endpoint=endpoint)


def _not_ollama(status: int) -> str:
    if 300 <= status < 400:
        return f"it answers with a redirect ({status}); give the address that this leads to"
    if status in {404, 405}:
        return "it knows no such route: is it an Ollama server?"
    return f"it answers with status {status}, which no Ollama server does"


def retry_after_s(value: str | None) -> float | None:
    """The seconds of a ``Retry-After`` header, within [0, `RETRY_AFTER_S_MAX`].

    None if there is none or it is not a number: a date is not worth a clock that may differ.
    """
    if value is None or not value.strip().lstrip("-").isascii():
        return None
    try:
        seconds = int(value.strip()[:20])
    except ValueError:
        return None
    return float(min(max(seconds, 0), RETRY_AFTER_S_MAX))


def _told_error(body: bytes) -> str | None:
    """The server's own words: the ``error`` of a JSON object; None if there is none."""
    try:
        match msgspec.json.decode(body):
            case {"error": str(text)} | {"error": {"message": str(text)}}:
                return text[:ERROR_TEXT_MAX] or "no reason given"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return None


def _rejected(status: int, text: str, body: bytes, endpoint: str) -> RequestRejectedError:
    if status == 401:
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            match msgspec.json.decode(body):
                case {"signin_url": str(url)}:
                    return SignInRequiredError(text, endpoint=endpoint, signin_url=url)
    if status in {401, 403}:
        return AccessDeniedError(text, status=status, endpoint=endpoint)
    return RequestRejectedError(text, status=status, endpoint=endpoint)


def _plain_text(body: bytes) -> str:
    text = body[:ERROR_TEXT_MAX].decode("utf-8", "replace").strip()
    return _PAGE if text.startswith("<") else text or "no reason given"


@frozen_for_checker
class Waited:
    """Where a request's time went at its server.

    Attributes:
        slot_wait_s: waiting for a slot, in seconds.
        service_s: prompt and answer, in seconds.
    """

    slot_wait_s: float
    service_s: float


def ended_by(error: TriollamaError | None) -> Ended:
    """The outcome of a request that ended with this error, or without."""
    if error is None:
        return Ended.DONE
    if isinstance(error, StreamCancelledError | EngineClosedError):
        return Ended.CANCELLED
    return Ended.FAILED


def measure(usage: Usage | None, first_token_s: float, took_s: float) -> Waited | None:
    """Where the time of an answer went, if its server tells.

    Args:
        usage: of the answer.
        first_token_s: from the sending to the first token, in seconds; 0 if it came in one piece.
        took_s: from the sending to the last line, in seconds.
    """
    if usage is None or not usage.total_ns:
        return None
    return waited_for_slot(usage, first_token_s=first_token_s or took_s, took_s=took_s)


def waited_for_slot(usage: Usage, *, first_token_s: float, took_s: float) -> Waited:
    """How long a request waited for a slot.

    By the server's own account it is what its load, prompt and answer leave of the total
    (``ollama-api.md`` §2.1). But a reader that is slow holds the server up too: so it is at most
    what load and prompt leave of the time to the first token.

    Args:
        usage: of the answer.
        first_token_s: from the sending to the first token, in seconds.
        took_s: from the sending to the last line, in seconds.
    """
    before_s = first_token_s - (usage.load_ns + usage.prefill_ns) / 1e9
    slot_wait_s = max(0.0, min(usage.slot_wait_ns / 1e9, before_s))
    return Waited(slot_wait_s, max(0.0, took_s - usage.load_ns / 1e9 - slot_wait_s))
