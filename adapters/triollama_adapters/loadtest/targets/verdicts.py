"""What went wrong, as an `Outcome` and a line of text. No IO.

=========================================  =====================
what                                       outcome
=========================================  =====================
no connection, name unknown, too slow      connect
no TLS                                     tls
no descriptor or port left here            client
the connection broke, or is no HTTP        lost
status 429                                 http_429
status 503 of a full queue                 queue_503
another status of 500 or more              http_5xx
any other status but 200                   http_4xx
an error line, or no line of an answer     error_in_stream
the body ended without a terminal line     truncated
a clock of ours ran out                    first_token_timeout, stall, total_timeout
=========================================  =====================
"""

from __future__ import annotations

import errno
from typing import Final

import httpx
import msgspec

from triollama import (
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    FleetUnavailableError,
    ModelNotFoundError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    StallError,
    StreamBrokenError,
    TriollamaError,
    TruncatedError,
)
from triollama_adapters.loadtest.sample import Outcome
from triollama_adapters.loadtest.targets.heard import Heard

__all__ = [
    "answer_outcome",
    "engine_outcome",
    "error_text",
    "refused_outcome",
    "transport_outcome",
]

DETAIL_CHARACTERS_MAX: Final = 200
"""Of what an error said; enough to know it by, and never a page."""

_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOSPC})
"""What the system says when this process has no descriptor, port or place in its epoll left."""

Verdict = tuple[Outcome, str]


def transport_outcome(error: Exception) -> Verdict:
    """What an exception of the transport or of a sink means."""
    text = _short(str(error) or type(error).__name__)
    outcome: Outcome = "client"
    match error:
        case httpx.ConnectError():
            is_tls = text.startswith("no TLS")
            outcome = "client" if _is_ours(error) else "tls" if is_tls else "connect"
        case httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.UnsupportedProtocol():
            outcome = "connect"
        case httpx.TransportError():
            outcome = "lost"
        case ProtocolError():
            outcome = "error_in_stream"
        case _:
            text = type(error).__name__  # of a defect, whose words may hold anything
    return outcome, text


def refused_outcome(status: int, body: bytes, *, asks_to_wait: bool) -> Verdict:
    """What a status other than 200 means.

    Args:
        status: the HTTP status.
        body: of the response, or its beginning.
        asks_to_wait: whether it has a ``Retry-After``.
    """
    text = _short(error_text(body))
    detail = f"{status}: {text}" if text else str(status)
    if status == 429:
        return "http_429", detail
    if status == 503 and (asks_to_wait or "busy" in text.lower()):
        return "queue_503", detail
    return ("http_5xx" if status >= 500 else "http_4xx"), detail


def answer_outcome(heard: Heard) -> Verdict:
    """What an answer is whose body has ended cleanly."""
    if heard.error:
        return "error_in_stream", _short(heard.error)
    if not heard.done_ns:
        return "truncated", "the answer ended without its last line"
    return "ok", ""


def engine_outcome(error: TriollamaError) -> Verdict:
    """What an error of the engine means, whose pool may have tried several endpoints."""
    cause = error.__cause__
    if isinstance(error, StreamBrokenError) and isinstance(cause, TriollamaError):
        return engine_outcome(cause)
    if isinstance(error, FleetUnavailableError) and error.causes:
        return engine_outcome(error.causes[-1])
    return _engine_kind(error), _short(str(error))


def _engine_kind(error: TriollamaError) -> Outcome:
    match error:
        case ConnectError():
            return "tls" if "no TLS" in str(error) else "connect"
        case ServerBusyError(status=429):
            return "http_429"
        case ServerFailedError(status=200):
            return "error_in_stream"
        case StallError(clock="first_token_s"):
            return "first_token_timeout"
    return next((outcome for kind, outcome in _ENGINE_KINDS if isinstance(error, kind)), "client")


_ENGINE_KINDS: Final[tuple[tuple[type[TriollamaError], Outcome], ...]] = (
    (ServerBusyError, "queue_503"),
    (ServerFailedError, "http_5xx"),
    (OverloadError, "queue_503"),
    (DeadlineExceededError, "total_timeout"),
    (StallError, "stall"),
    (ModelNotFoundError, "http_4xx"),
    (RequestRejectedError, "http_4xx"),
    (TruncatedError, "truncated"),
    (ConnectionLostError, "lost"),
    (ProtocolError, "error_in_stream"),
    (FleetUnavailableError, "connect"),
)
"""The first that fits counts; subclasses stand before their classes."""


def _is_ours(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _OURS


def error_text(body: bytes) -> str:
    """The server's own words; Ollama's error is a text, OpenAI's an object with a message."""
    try:
        match msgspec.json.decode(body):
            case {"error": str(text)} | {"error": {"message": str(text)}}:
                return text
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    text = body[:DETAIL_CHARACTERS_MAX].decode("utf-8", "replace")
    return "a page of HTML" if text.lstrip().startswith("<") else text


def _short(text: str) -> str:
    return " ".join(text.split())[:DETAIL_CHARACTERS_MAX]
