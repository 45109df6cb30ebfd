"""Why something was not fetched. No message has more of an address than its host."""

from __future__ import annotations

from triollama._errors import CallerError, EndpointError

__all__ = ["FetchFailedError", "FetchRefusedError"]


class FetchRefusedError(CallerError):
    """An address was not fetched, or not to its end, because the `Fetcher` does not allow it.

    Attributes:
        host: the host that was asked for, or that a redirect led to; empty where there is none.
    """

    def __init__(self, message: str, *, host: str = "") -> None:
        super().__init__(f"{host}: {message}" if host else message)
        self.host = host


class FetchFailedError(EndpointError):
    """A web server, or the way to it, failed; ``endpoint`` is its host."""
