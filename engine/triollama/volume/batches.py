"""What is decided about batches: which texts go together, and what a failure says of them.

Nothing here waits.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from triollama._errors import (
    FleetUnavailableError,
    InvalidRequestError,
    ModelNotFoundError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    SignInRequiredError,
    TriollamaError,
)
from triollama.volume.errors import FailedText

__all__ = ["Batch", "Blame", "TokenGuess", "Vector", "blame", "halves"]

Vector = tuple[float, ...]
"""The vector of one text."""

RATIO_FIRST: Final = 0.3
"""Tokens per byte of UTF-8 before anything was counted: rather many for English, about right for
other languages."""

RATIO_MIN: Final = 1 / 32
"""Below any real vocabulary: a lower ratio means that the server cut the texts."""

RATIO_MAX: Final = 2.0

NEWEST_WEIGHT: Final = 0.3
"""Of the newest batch, in the ratio: texts may change their language half-way."""

TEXT_STATUSES: Final = frozenset({400, 413, 422})
"""With these a server refuses what is asked; with others, whom or where it is asked."""


class TokenGuess:
    """Tells how many tokens a text has, learning from what servers count.

    Args:
        count: the caller's own count, which is then believed.
    """

    def __init__(self, count: Callable[[str], int] | None = None) -> None:
        self._count = count
        self.tokens_per_byte = RATIO_FIRST
        self._has_learnt = False

    def tokens(self, text: str) -> int:
        """Tokens of a text, at least 1."""
        if self._count is not None:
            return max(1, self._count(text))
        return max(1, math.ceil(text_bytes(text) * self.tokens_per_byte))

    def learn(self, tokens: int, size: int) -> None:
        """What a server counted in so many bytes; nothing if it does not tell, or cut the texts."""
        if tokens <= 0 or size <= 0 or tokens / size < RATIO_MIN:
            return
        ratio = min(RATIO_MAX, tokens / size)
        weight = NEWEST_WEIGHT if self._has_learnt else 1.0
        self.tokens_per_byte += weight * (ratio - self.tokens_per_byte)
        self._has_learnt = True


def text_bytes(text: str) -> int:
    """The text's size in UTF-8; of one that UTF-8 cannot carry, about that."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@attrs.define(eq=False)
class Batch:
    """Texts that go together, and what became of them.

    Attributes:
        first: the place of the first text in what was given.
        texts: the texts; let go of when they have their vectors.
        tokens: as they were told before.
        outcomes: what became of the texts from the first one on, as far as that is known.
        given: how many of these the reader has.
        error: ends the run, after the outcomes.
        is_done: nothing more will come.
    """

    first: int
    texts: list[str] = attrs.field(factory=list, repr=False)
    tokens: int = 0
    outcomes: list[Vector | FailedText] = attrs.field(factory=list, repr=False)
    given: int = 0
    error: Exception | None = None
    is_done: bool = False

    @property
    def has_more(self) -> bool:
        """Whether there is an outcome for the reader."""
        return self.given < len(self.outcomes)

    @property
    def is_spent(self) -> bool:
        """Whether the reader has all there will be, and there is no error to be raised."""
        return self.is_done and not self.has_more and self.error is None

    def take(self) -> Vector | FailedText:
        """The next outcome."""
        self.given += 1
        return self.outcomes[self.given - 1]

    def has_room(self, tokens: int, *, tokens_max: int, count_max: int) -> bool:
        """Whether a text of so many tokens may go with these; the first one always may."""
        if not self.texts:
            return True
        return len(self.texts) < count_max and self.tokens + tokens <= tokens_max

    def add(self, text: str, tokens: int) -> None:
        """Let one more text go with these."""
        self.texts.append(text)
        self.tokens += tokens


class Blame(enum.Enum):
    """Whose fault it is that a batch failed."""

    TEXT = "text"
    """One of the texts, or their size together."""
    SERVER = "server"
    """Servers failed on it; perhaps for one of the texts."""
    RUN = "run"
    """No text can have a vector now."""


def blame(error: TriollamaError) -> Blame:
    """Whose fault a failed request is."""
    match error:
        case InvalidRequestError():
            is_text, is_server = True, False
        case ModelNotFoundError() | SignInRequiredError() | ServerBusyError():
            is_text = is_server = False
        case RequestRejectedError(status=status):
            is_text, is_server = status in TEXT_STATUSES, False
        case FleetUnavailableError(causes=causes):
            is_text, is_server = False, any(blame(cause) is Blame.SERVER for cause in causes)
        case _:
            is_text, is_server = False, isinstance(error, ServerFailedError)
    return Blame.TEXT if is_text else Blame.SERVER if is_server else Blame.RUN


def halves(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The texts in two parts, the first not the shorter one."""
    middle = (len(texts) + 1) // 2
    return texts[:middle], texts[middle:]
