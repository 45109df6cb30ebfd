"""What a request can be refused with; all of it ends as ``{"error": …}``."""

from __future__ import annotations

__all__ = ["ApiError"]


class ApiError(Exception):
    """A request is refused before any work.

    Attributes:
        status: HTTP status.
        message: the text of the error body.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
