"""What a run of tools reports, in the order in which it happens."""

from __future__ import annotations

import attrs

from triollama.api import ChatChunk, ChatResponse, ToolCall
from triollama.tools.errors import ToolCallError

__all__ = [
    "ToolAnswerChunk",
    "ToolAnswerRestarted",
    "ToolCallBegan",
    "ToolCallEnded",
    "ToolEvent",
    "ToolRoundBegan",
    "ToolRoundEnded",
    "ToolRunEnded",
]


class ToolEvent:
    """One step of a run of tools; the subclasses say which."""

    __slots__ = ()


@attrs.frozen
class ToolRoundBegan(ToolEvent):
    """The model is asked.

    Attributes:
        round: from 1.
    """

    round: int


@attrs.frozen
class ToolAnswerChunk(ToolEvent):
    """A part of the model's answer.

    Attributes:
        round: from 1.
        chunk: as in a stream.
    """

    round: int
    chunk: ChatChunk


@attrs.frozen
class ToolAnswerRestarted(ToolEvent):
    """The answer of this round broke and begins anew (``on_break="restart"``).

    Attributes:
        round: from 1.
    """

    round: int


@attrs.frozen
class ToolCallBegan(ToolEvent):
    """A call of this round begins.

    Attributes:
        round: from 1.
        call: the name, the arguments and the id, as the model gave them.
    """

    round: int
    call: ToolCall


@attrs.frozen
class ToolCallEnded(ToolEvent):
    """A call has ended; those of one round end in any order.

    Attributes:
        round: from 1.
        call: as in `ToolCallBegan`.
        duration_s: how long it took, in seconds.
        content: what the model is told: the result, or what went wrong.
        result: what the function returned; None if it did not.
        error: why there is no result; None if there is one.
    """

    round: int
    call: ToolCall
    duration_s: float
    content: str = attrs.field(repr=False)
    result: object = attrs.field(repr=False, default=None)
    error: ToolCallError | None = None


@attrs.frozen
class ToolRoundEnded(ToolEvent):
    """The model has answered, and its calls have ended.

    Attributes:
        round: from 1.
        response: the model's answer.
    """

    round: int
    response: ChatResponse


@attrs.frozen
class ToolRunEnded(ToolEvent):
    """The model has answered without calling a tool: that is the result.

    Attributes:
        rounds: how many answers it took.
        response: the last one.
    """

    rounds: int
    response: ChatResponse
