"""What can be wrong with a conversation; all of it is the caller's to mend."""

from __future__ import annotations

from triollama._errors import CallerError

__all__ = ["ChatBusyError", "ChatFileError", "ChatTooLongError"]


class ChatBusyError(CallerError):
    """A turn of this chat is under way; its history has one order.

    Ask after it has ended, or talk in a second `Chat`.
    """

    def __init__(self) -> None:
        super().__init__(
            "a turn of this chat is under way; ask when it has ended, or use a Chat for each task"
        )


class ChatFileError(CallerError, ValueError):
    """What was to be loaded is no saved chat, or lacks what only the program can give."""


class ChatTooLongError(CallerError):
    """What is asked does not fit ``tokens_max``, though all older turns were left out.

    Attributes:
        tokens: of what cannot be left out, and of the room for the answer.
        tokens_max: what the chat may have.
        is_exact: whether the tokens were counted, or estimated.
    """

    def __init__(self, *, tokens: int, tokens_max: int, is_exact: bool) -> None:
        about = "" if is_exact else "about "
        super().__init__(
            f"the message, the system prompt and the answer take {about}{tokens} tokens, and "
            f"tokens_max is {tokens_max}; ask for less, or raise it"
        )
        self.tokens = tokens
        self.tokens_max = tokens_max
        self.is_exact = is_exact
