"""What the official client raises, and how the engine's errors become that.

Where the official client lets an exception of httpx through (a time-out, a broken connection), so
does this: httpx is what both stand on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx

from triollama import (
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    EndpointError,
    FleetUnavailableError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    ServerFailedError,
    StallError,
    StreamBrokenError,
    TransferFailedError,
    TriollamaError,
    TruncatedError,
    parse_name,
)

__all__ = ["RequestError", "ResponseError", "UnreachableError", "translated", "translating"]

UNREACHABLE = (
    "Failed to connect to Ollama. Please check that Ollama is downloaded, running and accessible. "
    "https://ollama.com/download"
)
"""Word for word what the official client says: programs show it to their users."""

IN_STREAM = -1
"""The status of an error in the middle of a stream: there the server has already sent a 200."""


class RequestError(ValueError):
    """A request is wrong; nothing was sent.

    A `ValueError` as well, because the official client raises pydantic's, which is one.

    Attributes:
        error: what is wrong.
    """

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class ResponseError(Exception):
    """A server refused a request, or failed.

    Attributes:
        error: the server's own text.
        status_code: the HTTP status; -1 for an error in the middle of a stream.
    """

    def __init__(self, error: str, status_code: int = IN_STREAM) -> None:
        with suppress(ValueError):
            told = json.loads(error)
            error = told.get("error", error) if isinstance(told, dict) else error
        super().__init__(error)
        self.error = error
        self.status_code = status_code

    def __str__(self) -> str:
        return f"{self.error} (status code: {self.status_code})"


class UnreachableError(ConnectionError, httpx.ConnectError):
    """No server could be reached.

    The official client raises `ConnectionError` or, while it streams, `httpx.ConnectError`.
    """


@contextmanager
def translating(route: str = "", *, is_stream: bool = False) -> Iterator[None]:
    """Raise what the official client would raise in place of the engine's errors.

    Args:
        route: the last part of the path, such as ``chat``; some say things in their own way.
        is_stream: whether the caller asked for a stream.
    """
    try:
        yield
    except TriollamaError as error:
        raise translated(error, route, is_stream=is_stream) from error


def translated(error: TriollamaError, route: str = "", *, is_stream: bool = False) -> Exception:
    """The official client's exception for an error of the engine; see `translating`."""
    cause = _deepest(error)
    status = IN_STREAM if is_stream else 500
    match cause:
        case ModelNotFoundError(model=model):
            told = _NOT_FOUND.get(route, _not_found)(model), 404
        case RequestRejectedError():
            told = cause.message, cause.status
        case InvalidRequestError():
            told = str(cause), 400  # not sent, because a server answers it with that
        case TransferFailedError(reason=reason):
            told = reason, status
        case ServerFailedError():
            told = cause.reason, status if cause.status == 200 else cause.status
        case OverloadError():
            told = str(cause), 503
        case _:
            return _broken(cause)
    return ResponseError(*told)


def _broken(cause: TriollamaError) -> Exception:
    """For what lies between here and the server."""
    match cause:
        case ConnectError() | FleetUnavailableError():
            return UnreachableError(UNREACHABLE)
        case StallError() | DeadlineExceededError():
            return httpx.ReadTimeout(str(cause))
        case ConnectionLostError() | TruncatedError() | ProtocolError():
            return httpx.RemoteProtocolError(str(cause))
        case EndpointError():
            return httpx.ReadError(str(cause))
        case _:
            return cause


def _deepest(error: TriollamaError) -> TriollamaError:
    """What a broken stream or a whole fleet failed of."""
    while True:
        if isinstance(error, StreamBrokenError) and isinstance(error.__cause__, TriollamaError):
            error = error.__cause__
        elif isinstance(error, FleetUnavailableError) and error.causes:
            error = error.causes[-1]
        else:
            return error


def _not_found(model: str) -> str:
    return f"model '{model}' not found"


def _try_pulling(model: str) -> str:
    return f'model "{model}" not found, try pulling it first'


def _with_tag(model: str) -> str:
    name = parse_name(model)
    return _not_found(model if name.tag in model.rpartition("/")[2] else f"{model}:{name.tag}")


_NOT_FOUND: dict[str, Callable[[str], str]] = {
    "embed": _try_pulling,
    "embeddings": _try_pulling,
    "show": _with_tag,
    "copy": lambda model: f'model "{model}" not found',
}
"""How a server says it on each route; the engine has one error for all."""
