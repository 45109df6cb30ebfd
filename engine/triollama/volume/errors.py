"""Texts that have no vector."""

from __future__ import annotations

import attrs

from triollama._errors import TriollamaError

__all__ = ["FailedText", "TextFailedError"]


@attrs.frozen
class FailedText:
    """Stands in the place of a vector, with ``on_error="give"``.

    Attributes:
        index: the text's place in what was given, from 0.
        error: why it has no vector: `InvalidRequestError` if it cannot be sent,
            `RequestRejectedError` if servers refuse it, `FleetUnavailableError` or
            `ServerFailedError` if they fail on it.
    """

    index: int
    error: TriollamaError


class TextFailedError(TriollamaError):
    """One text has no vector; why is the ``__cause__``. All texts before it had theirs.

    Attributes:
        index: the text's place in what was given, from 0.
    """

    def __init__(self, index: int, reason: TriollamaError) -> None:
        super().__init__(
            f'texts[{index}] has no vector: {reason}; on_error="give" goes on without it'
        )
        self.index = index
