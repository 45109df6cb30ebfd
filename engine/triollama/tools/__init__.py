"""Tools: typed Python functions that a model may call, and the rounds in which it does.

It knows the engine only as something that answers messages (`rounds.Ask`).

Downwards: ``run`` (the reader's side) → ``rounds`` → ``calls`` → ``tool`` → ``signature`` →
``errors``; ``events`` and ``rules`` are what they tell and obey.
"""

from triollama._schema import SchemaError

from .errors import (
    ToolArgumentsError,
    ToolCallError,
    ToolError,
    ToolFailedError,
    ToolNotFoundError,
    ToolRefusedError,
    ToolResultError,
    ToolRoundsError,
    ToolTimeoutError,
)
from .events import (
    ToolAnswerChunk,
    ToolAnswerRestarted,
    ToolCallBegan,
    ToolCallEnded,
    ToolEvent,
    ToolRoundBegan,
    ToolRoundEnded,
    ToolRunEnded,
)
from .rounds import Ask, Rounds, messages_of
from .rules import ErrorRule, TellRule, ToolRules
from .run import ToolRun
from .tool import Tool, ToolInput, definitions, tool, tools_of

__all__ = [
    "Ask",
    "ErrorRule",
    "Rounds",
    "SchemaError",
    "TellRule",
    "Tool",
    "ToolAnswerChunk",
    "ToolAnswerRestarted",
    "ToolArgumentsError",
    "ToolCallBegan",
    "ToolCallEnded",
    "ToolCallError",
    "ToolError",
    "ToolEvent",
    "ToolFailedError",
    "ToolInput",
    "ToolNotFoundError",
    "ToolRefusedError",
    "ToolResultError",
    "ToolRoundBegan",
    "ToolRoundEnded",
    "ToolRoundsError",
    "ToolRules",
    "ToolRun",
    "ToolRunEnded",
    "ToolTimeoutError",
    "definitions",
    "messages_of",
    "tool",
    "tools_of",
]
