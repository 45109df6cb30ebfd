"""What a request can be refused with, and the shapes that errors have (``ollama-api.md`` §0.3)."""

from __future__ import annotations

from zlib import crc32

__all__ = ["ApiError", "anthropic_error", "openai_error"]


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


def openai_error(status: int, message: str) -> dict[str, str | None]:
    """Make the value of ``error`` as the routes under ``/v1`` have it (§0.3)."""
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    kind = kinds.get(status, "api_error")
    return {"message": message, "type": kind, "param": None, "code": None}


_ANTHROPIC_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def anthropic_error(status: int, message: str) -> dict[str, object]:
    """Make the body of an error as ``/v1/messages`` has it (§0.3)."""
    kind = _ANTHROPIC_KINDS.get(status, "api_error")
    number = crc32(message.encode("utf-8", "replace"))
    error = {"type": kind, "message": message}
    return {"type": "error", "error": error, "request_id": f"req_{number:024x}"}
