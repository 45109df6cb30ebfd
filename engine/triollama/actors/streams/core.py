"""The decisions about a request: what a response's status means, and what to do after a failure.

No IO. `refusal` turns a status other than 200 into an error with an owner; `verdict` says what
becomes of the request and what the pool is told of the endpoint.

=============================  ===================  ==================  =================
failure                        before any output    after some output   the pool is told
=============================  ===================  ==================  =================
closed while idle (stale)      same fleet again     raise               unused
model missing                  another endpoint     raise               model missing
rejected (other 4xx)           raise                raise               rejected
busy (429, 503 of its queue)   another endpoint     raise               busy
any other endpoint error       another endpoint     raise               failed
this process's own             raise                raise               unused
=============================  ===================  ==================  =================
"""

from __future__ import annotations

import attrs
import msgspec

from triollama._errors import (
    ConnectionLostError,
    EndpointError,
    ModelNotFoundError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    TriollamaError,
)
from triollama.actors.pool.messages import Outcome

RETRY_AFTER_S_MAX = 60.0
"""More than this a server may not ask for; gRPC's push-back rules clamp likewise."""

ERROR_TEXT_MAX = 1_000
"""Characters of a server's error text that are kept; some servers answer with a page."""

_PAGE = "a page of HTML"
"""What is told of one: its text says nothing about Ollama."""

STALE_MAX = 3
"""Reused connections that may turn out closed within one request; then it counts as a failure."""


@attrs.frozen
class Verdict:
    """What to do after a failed attempt.

    Attributes:
        tries_again: whether another attempt may be made.
        excludes: whether this endpoint is left out of it.
        outcome: what the pool is told.
    """

    tries_again: bool
    excludes: bool
    outcome: Outcome


def verdict(error: TriollamaError, *, has_output: bool, stale_before: int = 0) -> Verdict:
    """What becomes of a request whose attempt ended with `error`; see the table above.

    Args:
        error: why the attempt failed.
        has_output: whether anything of the answer can have reached the reader.
        stale_before: connections of this request that had turned out closed before.
    """
    again = not has_output
    match error:
        case ConnectionLostError(stale=True) if stale_before < STALE_MAX:
            return Verdict(again, excludes=False, outcome=Outcome.UNUSED)
        case ModelNotFoundError():
            return Verdict(again, excludes=True, outcome=Outcome.MODEL_MISSING)
        case RequestRejectedError():
            return Verdict(tries_again=False, excludes=True, outcome=Outcome.REJECTED)
        case ServerBusyError():
            return Verdict(again, excludes=True, outcome=Outcome.BUSY)
        case EndpointError():
            return Verdict(again, excludes=True, outcome=Outcome.FAILED)
        case _:
            return Verdict(tries_again=False, excludes=False, outcome=Outcome.UNUSED)


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
    text = _error_text(body)
    # Ollama's router answers the first, any other web server with a page of its own.
    is_unknown_route = (status == 404 and text.startswith("404 page not found")) or (
        status in {404, 405} and text == _PAGE
    )
    match status:
        case 404 if model and "not found" in text and not is_unknown_route:
            return ModelNotFoundError(model, status=status, endpoint=endpoint)
        case 429 | 503 if status == 429 or "busy" in text:
            wait_s = retry_after_s(retry_after)
            return ServerBusyError(text, status=status, endpoint=endpoint, retry_after_s=wait_s)
        case _ if status >= 500:
            return ServerFailedError(text, status=status, endpoint=endpoint)
        case _ if status >= 400 and not is_unknown_route:
            return RequestRejectedError(text, status=status, endpoint=endpoint)
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


def _error_text(body: bytes) -> str:
    """The server's own words: the ``error`` of a JSON object, else the body as text."""
    try:
        match msgspec.json.decode(body):
            case {"error": str(text)} | {"error": {"message": str(text)}}:
                return text[:ERROR_TEXT_MAX]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    text = body[:ERROR_TEXT_MAX].decode("utf-8", "replace").strip()
    return _PAGE if text.startswith("<") else text or "no reason given"
