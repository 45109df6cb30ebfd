"""Every public exception, with whose fault it is.

Three families, so that a caller can decide with one ``except``:

* `CallerError`: the request or the configuration is wrong; sending it again cannot help.
* `EndpointError`: one server or the way to it failed; the engine has already tried the others.
* `EngineError`: this process refused, gave up, or is shutting down; later it may work.

No message holds a prompt, a header's value or the user part of a URL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

__all__ = [
    "AccessDeniedError",
    "AnswerTooLargeError",
    "CallerError",
    "ConfigError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "EndpointError",
    "EngineClosedError",
    "EngineError",
    "EngineFaultError",
    "FleetUnavailableError",
    "InvalidRequestError",
    "MissingExtraError",
    "ModelNotFoundError",
    "OverloadError",
    "ProtocolError",
    "RequestRejectedError",
    "ServerBusyError",
    "ServerFailedError",
    "SignInRequiredError",
    "StallError",
    "StreamBrokenError",
    "StreamCancelledError",
    "StreamRestartedError",
    "TriollamaError",
    "TruncatedError",
]


class TriollamaError(Exception):
    """Base of all that this library raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls `__init__` with the message alone, which most of these refuse.
        return _remake, (type(self), self.args, vars(self))


def _remake(
    kind: type[TriollamaError], args: tuple[object, ...], state: dict[str, object]
) -> TriollamaError:
    """An error as it was before it was pickled or copied."""
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


# ---- the caller's fault


class CallerError(TriollamaError):
    """The request or the configuration is wrong. Repeating it unchanged cannot help."""


class ConfigError(CallerError, ValueError):
    """A value of the configuration, an endpoint's address included, is not usable."""


@frozen
class Problem:
    """One thing that is wrong with a request. Nothing of it is the caller's text.

    Attributes:
        path: where it is, such as ``messages[2].images[0]``; empty for the whole request.
        found: what is there: a type, a size, a number.
        allowed: what may be there.
        text: all of it as one sentence.
    """

    path: str
    found: str
    allowed: str
    text: str = ""

    def __str__(self) -> str:
        return self.text or f"{self.path} must be {self.allowed}, not {self.found}"


PROBLEMS_SHOWN_MAX = 8
"""In one message; `InvalidRequestError.problems` has the others as well."""


class InvalidRequestError(CallerError, ValueError):
    """The request was refused here, before anything was sent.

    Contrast `RequestRejectedError`, which an Ollama server gave.

    Attributes:
        problems: all that is wrong, in the order of the request's fields.
    """

    def __init__(self, message: str = "", *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message or _told_together(problems))
        self.problems = tuple(problems) or (Problem("", "", "", message),)


def _told_together(problems: Sequence[Problem]) -> str:
    """One readable line, however many there are."""
    if len(problems) == 1:
        return str(problems[0])
    shown = "; ".join(map(str, problems[:PROBLEMS_SHOWN_MAX]))
    more = len(problems) - PROBLEMS_SHOWN_MAX
    return f"{len(problems)} problems: {shown}" + (f"; and {more} more" if more > 0 else "")


class MissingExtraError(CallerError, ImportError):
    """A feature needs a library that is not installed.

    Attributes:
        extra: the extra of triollama that brings it.
    """

    def __init__(self, extra: str, feature: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'triollama[{extra}]'")
        self.extra = extra


class RequestRejectedError(CallerError):
    """A server answered 4xx, or 501: it understood the request and will not do it.

    Attributes:
        status: the HTTP status.
        message: the server's own text.
        endpoint: the name of the endpoint that answered.
    """

    def __init__(self, message: str, *, status: int, endpoint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.endpoint or 'the server'} answered {self.status}: {self.message}"


class ModelNotFoundError(RequestRejectedError):
    """No endpoint that could be asked has the model.

    Attributes:
        model: the name asked for.
        available: the names that do exist, as far as they are known.
    """

    def __init__(
        self, model: str, *, available: Sequence[str] = (), status: int = 404, endpoint: str = ""
    ) -> None:
        super().__init__(f"model {model!r} not found", status=status, endpoint=endpoint)
        self.model = model
        self.available = tuple(sorted(available))

    def __str__(self) -> str:
        if self.endpoint:
            return f"{self.endpoint} does not have the model {self.model!r}"
        known = ", ".join(self.available) or "none that could be asked for"
        return f"no endpoint has the model {self.model!r}; there are: {known}"


class AccessDeniedError(RequestRejectedError):
    """A server answered 401 or 403: it wants credentials, or others, or does not allow this.

    Attributes:
        hint: what is missing, as far as can be told; empty if only the server knows. It never holds
            what was sent.
    """

    is_servers_own = False
    """Whether the server itself lacks credentials, not whoever asks it."""

    def __init__(self, message: str, *, status: int, endpoint: str = "", hint: str = "") -> None:
        super().__init__(message, status=status, endpoint=endpoint)
        self.hint = hint

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.hint}" if self.hint else super().__str__()


class SignInRequiredError(AccessDeniedError):
    """A server would have to be signed in to an account for this, and is not.

    Attributes:
        signin_url: where that is done; empty if the server does not tell.
    """

    is_servers_own = True

    def __init__(
        self, message: str, *, status: int = 401, endpoint: str = "", signin_url: str = ""
    ) -> None:
        super().__init__(message, status=status, endpoint=endpoint)
        self.signin_url = signin_url


# ---- an endpoint's fault


class EndpointError(TriollamaError):
    """One server, or the way to it, failed.

    Attributes:
        endpoint: the endpoint's name; empty where the wire does not know it.
    """

    def __init__(self, message: str, *, endpoint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.message}" if self.endpoint else self.message


class ConnectError(EndpointError):
    """No connection: unknown host, refused, unreachable, too slow, or TLS was not agreed."""


class ConnectionLostError(EndpointError):
    """The connection broke before the answer was whole.

    Attributes:
        stale: true if the connection was reused and broke before any byte of the answer: the server
            had closed it while it was idle, and the request can be sent again at once.
    """

    def __init__(self, message: str, *, endpoint: str = "", stale: bool = False) -> None:
        super().__init__(message, endpoint=endpoint)
        self.stale = stale


class ProtocolError(EndpointError):
    """What came back is not HTTP, or not what an Ollama server sends, or beyond a limit."""


class AnswerTooLargeError(ProtocolError):
    """An answer, or one line of it, is larger than the configured limit."""


class TruncatedError(EndpointError):
    """The answer ended cleanly but without its terminal line (``done: true``)."""


class StallError(EndpointError):
    """The server sent nothing for longer than the clock allows.

    Attributes:
        clock: which clock ran out: ``"first_token_s"``, ``"stall_s"``.
        limit_s: its limit in seconds.
    """

    def __init__(self, clock: str, limit_s: float, *, endpoint: str = "") -> None:
        super().__init__(f"nothing arrived for {clock} = {limit_s:g} s", endpoint=endpoint)
        self.clock = clock
        self.limit_s = limit_s


class StreamBrokenError(EndpointError):
    """An answer broke after its reader had seen a part of it, and cannot be gone on with.

    The failure that broke it is its ``__cause__``. The attributes are the caller's own text: they
    are not in the message.

    Attributes:
        reason: why it cannot be gone on with.
        content: the text so far.
        thinking: the thinking so far.
        tool_calls: the tool calls so far.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        endpoint: str = "",
        content: str = "",
        thinking: str = "",
        tool_calls: Sequence[object] = (),
    ) -> None:
        super().__init__(f"the answer broke ({message}), and {reason}", endpoint=endpoint)
        self.reason = reason
        self.content = content
        self.thinking = thinking
        self.tool_calls = tuple(tool_calls)


class ServerFailedError(EndpointError):
    """The server answered 5xx, or ended a stream with an ``{"error": …}`` line.

    Attributes:
        status: the HTTP status; 200 for an error line in the middle of a stream.
        reason: the server's own text.
    """

    def __init__(self, message: str, *, status: int, endpoint: str = "") -> None:
        where = "in the stream" if status == 200 else f"with status {status}"
        super().__init__(f"the server failed {where}: {message}", endpoint=endpoint)
        self.status = status
        self.reason = message


class ServerBusyError(ServerFailedError):
    """Push-back, not ill health: 429, or the 503 of a full load queue.

    Attributes:
        retry_after_s: what the server asked for, within [0, 60] s; None if it asked for nothing.
    """

    def __init__(
        self, message: str, *, status: int, endpoint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, status=status, endpoint=endpoint)
        self.retry_after_s = retry_after_s


# ---- this process


class EngineError(TriollamaError):
    """The engine refused or gave up; no single endpoint is to blame."""


class EngineClosedError(EngineError):
    """The engine is closing or closed, and takes or continues no request."""


class EngineFaultError(EngineError):
    """A defect of the engine itself ended this request; please report it."""


class FleetUnavailableError(EngineError):
    """Every endpoint was tried or is out of service.

    Attributes:
        causes: the last failure of each endpoint that was tried.
    """

    def __init__(self, causes: Sequence[TriollamaError]) -> None:
        told = "; ".join(_each_once(map(str, causes))) or "no endpoint is in service"
        super().__init__(f"no endpoint could answer: {told}")
        self.causes = tuple(causes)


def _each_once(texts: Iterable[str]) -> Iterator[str]:
    """Each text where it came first, with how often it came."""
    for text, count in Counter(texts).items():
        yield text if count == 1 else f"{text} ({count} attempts)"


class OverloadError(EngineError):
    """The line of waiting requests is full, or an answer would come after the deadline.

    The second also where a rate limit leaves no room before it.

    Attributes:
        retry_after_s: how long to wait before asking again, in seconds.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(f"{message}; try again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class DeadlineExceededError(EngineError):
    """The request's own deadline passed, in line or while it ran.

    Attributes:
        limit_s: the deadline that was given, in seconds from the request.
    """

    def __init__(self, message: str, *, limit_s: float) -> None:
        super().__init__(f"{message} within {limit_s:g} s")
        self.limit_s = limit_s


class StreamCancelledError(EngineError):
    """`Stream.cancel()` was called while this reader, or another, still read."""


class StreamRestartedError(EngineError):
    """The answer broke and begins anew, as ``on_break="restart"`` asks for; iterate on to read it.

    Raised once, where the stream is iterated, after the last chunk of the broken answer: what was
    read so far is to be forgotten. The stream itself goes on.
    """
