"""What can go wrong with counting tokens; see `triollama._errors` for the families."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triollama._errors import CallerError

__all__ = ["ContextExceededError", "TokenizerError", "refused_as"]


class TokenizerError(CallerError):
    """No tokenizer can be built that counts as the server does.

    ``estimate=True`` gives an estimate in its place.

    Attributes:
        model: the model's name; empty where it is not known.
        reason: what is not supported, or missing.
    """

    def __init__(self, reason: str, *, model: str = "") -> None:
        named = f" of {model!r}" if model else ""
        super().__init__(
            f"the tokens{named} cannot be counted exactly: {reason}; "
            "estimate=True gives an estimate"
        )
        self.model = model
        self.reason = reason


class ContextExceededError(CallerError):
    """A request is longer than the model's context window; nothing was sent.

    Attributes:
        model: the model's name.
        tokens: of the prompt, and of the answer that room was asked for.
        context_length: tokens that the window holds.
        is_exact: whether the prompt's tokens were counted, or estimated.
    """

    def __init__(self, model: str, *, tokens: int, context_length: int, is_exact: bool) -> None:
        about = "" if is_exact else "about "
        super().__init__(
            f"the request to {model!r} takes {about}{tokens} tokens, answer included, and its "
            f"context holds {context_length}; shorten it, or ask for less"
        )
        self.model = model
        self.tokens = tokens
        self.context_length = context_length
        self.is_exact = is_exact


@contextmanager
def refused_as(reason: str) -> Iterator[None]:
    """Whatever the library behind a tokenizer raises of a vocabulary is a `TokenizerError`.

    It raises bare `Exception`, and where it panics what is no `Exception` at all.
    """
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(reason) from error  # noqa: ASYNC104 - nothing is awaited within
