"""What can go wrong with a tool: which call, what the model is told, what the program is told.

No message has anything of a call's arguments or of a result.
"""

from __future__ import annotations

from collections.abc import Sequence

from triollama._errors import TriollamaError
from triollama.api import ChatResponse, Message

__all__ = [
    "ToolArgumentsError",
    "ToolCallError",
    "ToolError",
    "ToolFailedError",
    "ToolNotFoundError",
    "ToolRefusedError",
    "ToolResultError",
    "ToolRoundsError",
    "ToolTimeoutError",
]


class ToolError(TriollamaError):
    """A tool speaks to the model: raised by a tool's function, its message is told as it is.

    Of other exceptions the model is told the class only, unless ``tell="message"`` is asked for.
    """


class ToolCallError(ToolError):
    """One call gave no result.

    Attributes:
        tool: the name that the model called.
        call_id: the id of the call; empty where the server gives none.
        told: what the model is told, or would be.
    """

    def __init__(self, message: str, *, tool: str, call_id: str = "", told: str = "") -> None:
        super().__init__(f"tool {tool!r}: {message}")
        self.tool = tool
        self.call_id = call_id
        self.told = told or message


class ToolNotFoundError(ToolCallError):
    """The model called a tool that there is not."""


class ToolArgumentsError(ToolCallError):
    """The arguments do not fit the parameters; ``told`` says which and what is expected."""


class ToolFailedError(ToolCallError):
    """The tool's function raised; what it raised is the ``__cause__``."""


class ToolTimeoutError(ToolCallError):
    """The call gave no result in time. A function in a thread may still be running.

    Attributes:
        limit_s: how long it had, in seconds.
    """

    def __init__(self, *, tool: str, call_id: str = "", limit_s: float) -> None:
        super().__init__(f"no result within {limit_s:g} s", tool=tool, call_id=call_id)
        self.limit_s = limit_s


class ToolResultError(ToolCallError):
    """What the function returned is not JSON, or is too large."""


class ToolRefusedError(ToolCallError):
    """The answer asked for more calls than one round may have; this one was not made."""


class ToolRoundsError(ToolError):
    """The model still called tools in the last round that it had; those calls were not made.

    Attributes:
        rounds_max: how many rounds it had.
        messages: all messages, the last answer included.
        response: the last answer.
    """

    def __init__(
        self, *, rounds_max: int, messages: Sequence[Message], response: ChatResponse
    ) -> None:
        super().__init__(
            f"the model still called tools after rounds_max = {rounds_max} answers; "
            "allow more rounds, or see the last answer in `response`"
        )
        self.rounds_max = rounds_max
        self.messages = tuple(messages)
        self.response = response
