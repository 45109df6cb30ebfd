"""Ask for an object: again, with what was wrong, until an answer fits or the budget is used up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import trio

from triollama._errors import InvalidRequestError
from triollama.structured.errors import StructuredOutputError, StructuredTruncatedError
from triollama.structured.forms import Form

__all__ = ["RETRIES_MAX", "Reply", "ask_for", "complaint"]

T = TypeVar("T")

RETRIES_MAX: Final = 10
"""More would not help a model that cannot."""


class Reply(Protocol):
    """A whole answer: `ChatResponse` or `GenerateResponse`."""

    @property
    def content(self) -> str:
        """Its text."""

    @property
    def done_reason(self) -> str | None:
        """Why it ended."""


Ask = Callable[[tuple[str, str] | None, float | None], Awaitable[Reply]]
"""Asks the model: with the last answer and what was wrong with it, and the seconds that are left;
None for the first time, and for no limit."""


async def ask_for(form: Form[T], ask: Ask, retries_max: int, deadline_s: float | None) -> T:
    """Ask until an answer fits.

    Args:
        form: how answers are read.
        ask: asks the model.
        retries_max: further attempts after the first answer that does not fit; 0 to `RETRIES_MAX`.
        deadline_s: seconds for all attempts together; None for each attempt's own.

    Raises:
        StructuredTruncatedError: an answer was cut; that is not tried again.
        StructuredOutputError: the last answer does not fit either.
        InvalidRequestError: ``retries_max`` makes no sense.
        TriollamaError: an attempt failed.
    """
    if not isinstance(retries_max, int) or not 0 <= retries_max <= RETRIES_MAX:
        raise InvalidRequestError(f"format_retries_max must be a number from 0 to {RETRIES_MAX}")
    began_s = trio.current_time()
    wrong: tuple[str, str] | None = None
    attempt = 1
    while True:
        left_s = deadline_s
        if deadline_s is not None and wrong is not None:
            left_s = max(began_s + deadline_s - trio.current_time(), 1e-3)
        reply = await ask(wrong, left_s)
        try:
            return form.read(reply.content, reply.done_reason, attempt)
        except StructuredTruncatedError:
            raise
        except StructuredOutputError as error:
            if attempt > retries_max:
                raise
            wrong = (reply.content, complaint(error))
        attempt += 1


def complaint(error: StructuredOutputError) -> str:
    """What the model is told of an answer that does not fit."""
    return (
        f"Your answer does not fit the required JSON: {error.reason}. "
        "Answer again, with the corrected JSON only."
    )
