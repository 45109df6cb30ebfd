"""One call of a tool, from what the model wrote to what it is told."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import trio

from triollama.api import ToolCall
from triollama.tools.errors import (
    ToolArgumentsError,
    ToolCallError,
    ToolError,
    ToolFailedError,
    ToolNotFoundError,
    ToolResultError,
    ToolTimeoutError,
)
from triollama.tools.rules import TellRule, ToolRules
from triollama.tools.tool import Tool

__all__ = ["perform"]

TOLD_CHARACTERS_MAX: Final = 500
"""Of an exception's message, for the model: enough to mend a call, too little for a dump."""


async def perform(
    tools: Mapping[str, Tool[..., Any]], call: ToolCall, rules: ToolRules
) -> tuple[object, str]:
    """Make one call.

    Returns:
        What the function returned, and the same as text for the model.

    Raises:
        ToolCallError: there is no result; the error says what the model is told.
    """
    name = call.function.name
    tool = tools.get(name)
    if tool is None:
        known = ", ".join(tools) or "none"
        told = f"there is no such tool; there are: {known}"
        raise ToolNotFoundError("there is no such tool", tool=name, call_id=call.id, told=told)
    result = await _result(tool, call, rules)
    return result, _text(result, call, rules.result_bytes_max)


async def _result(tool: Tool[..., Any], call: ToolCall, rules: ToolRules) -> object:
    """What the function returns, in time."""
    limit_s = tool.call_s or rules.call_s
    try:
        with trio.move_on_after(limit_s):
            return await _settled(tool, call.function.arguments)
    except ToolArgumentsError as error:
        error.call_id = call.id
        raise
    except Exception as error:  # a tool may raise anything; the model is told
        kind = type(error).__name__
        told = _told(error, rules.tell)
        raise ToolFailedError(
            f"it raised {kind}", tool=tool.name, call_id=call.id, told=told
        ) from error
    raise ToolTimeoutError(tool=tool.name, call_id=call.id, limit_s=limit_s)


async def _settled(tool: Tool[..., Any], arguments: Mapping[str, Any]) -> object:
    """Call the function. What fails in it while it is cancelled is nobody's result."""
    try:
        return await tool.call(arguments)
    except BaseExceptionGroup as group:
        cancelled, others = group.split(trio.Cancelled)
        if cancelled is None or not isinstance(others, ExceptionGroup | None):
            raise
        raise cancelled from None


def _told(error: Exception, tell: TellRule) -> str:
    """What the model is told of an exception: nothing of where it was raised."""
    message = " ".join(str(error).split())[:TOLD_CHARACTERS_MAX]
    if isinstance(error, ToolError):
        return message
    kind = type(error).__name__
    return f"{kind}: {message}" if tell == "message" and message else kind


def _text(result: object, call: ToolCall, bytes_max: int) -> str:
    """A result as the model gets it: a text as it is, everything else as JSON."""
    text = result if isinstance(result, str) else _json(result, call)
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > bytes_max:
        raise _result_error(call, f"the result has {size} bytes; at most {bytes_max} are allowed")
    return text


def _json(result: object, call: ToolCall) -> str:
    try:
        return msgspec.json.encode(result).decode()
    except (TypeError, ValueError, RecursionError) as error:
        if inspect.iscoroutine(result):
            result.close()
        kind = type(result).__name__
        raise _result_error(call, f"the result, of type {kind}, is not JSON") from error


def _result_error(call: ToolCall, message: str) -> ToolCallError:
    return ToolResultError(message, tool=call.function.name, call_id=call.id)
