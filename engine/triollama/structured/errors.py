"""Answers that are not of the form that was asked for."""

from __future__ import annotations

from triollama._errors import TriollamaError

__all__ = ["StructuredOutputError", "StructuredTruncatedError"]


class StructuredOutputError(TriollamaError):
    """The answer does not fit the class or schema. Its text is not in the message.

    Attributes:
        reason: what is wrong and where, as the model is told it; may quote a value.
        text: the answer.
        attempts: answers that were asked for.
    """

    def __init__(
        self, message: str, *, reason: str = "", text: str = "", attempts: int = 1
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or message
        self.text = text
        self.attempts = attempts

    def __str__(self) -> str:
        times = "" if self.attempts == 1 else f" ({self.attempts} attempts)"
        return f"{self.message}{times}"


class StructuredTruncatedError(StructuredOutputError):
    """The answer was cut: ``num_predict`` or the context was used up before it was whole.

    It is not asked for again, as it would be cut again.
    """
