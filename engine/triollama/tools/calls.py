"""One call of a tool, from what the model wrote to what it is told."""

from __future__ import annotations

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
    values: Mapping[str, Any] | None = None
    try:
        with trio.move_on_after(limit_s):
            values = tool.values_of(call.function.arguments)
            return await _settled(tool, values)
    except Exception as error:  # a tool may raise anything; the model is told
        if values is None and isinstance(error, ToolArgumentsError):
            error.call_id = call.id
            raise
        kind = type(error).__name__
        told = _told(error, rules.tell)
        raise ToolFailedError(
            f"it raised {kind}", tool=tool.name, call_id=call.id, told=told
        ) from error
    raise ToolTimeoutError(tool=tool.name, call_id=call.id, limit_s=limit_s)


async def _settled(tool: Tool[..., Any], values: Mapping[str, Any]) -> object:
    """Call the function. What fails in it while it is cancelled is nobody's result."""
    try:
        return await tool.run(values)
    except BaseExceptionGroup as group:
        cancelled, others = group.split(trio.Cancelled)
        if cancelled is None or not isinstance(others, ExceptionGroup | None):
            raise
        raise cancelled from None


def _told(error: Exception, tell: TellRule) -> str:
    """What the model is told of an exception: nothing of where it was raised."""
    try:
        message = " ".join(str(error).split())[:TOLD_CHARACTERS_MAX]
    except Exception:  # noqa: BLE001 - the exception cannot even say what it is
        message = ""
    message = message.encode(errors="replace").decode()  # half a surrogate pair cannot be sent
    if isinstance(error, ToolError) and message:
        return message
    kind = type(error).__name__
    return f"{kind}: {message}" if tell == "message" and message else kind


def _text(result: object, call: ToolCall, bytes_max: int) -> str:
    """A result as the model gets it: a text as it is, everything else as JSON."""
    text = result if isinstance(result, str) else _json(result, call)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        message = "the result holds half a surrogate pair, which cannot be sent"
        raise _result_error(call, message) from error
    if size > bytes_max:
        raise _result_error(call, f"the result has {size} bytes; at most {bytes_max} are allowed")
    return text


def _json(result: object, call: ToolCall) -> str:
    try:
        return msgspec.json.encode(result).decode()
    except Exception as error:  # properties of the function's own classes may raise anything
        kind = type(result).__name__
        raise _result_error(call, f"the result, of type {kind}, is not JSON") from error


def _result_error(call: ToolCall, message: str) -> ToolCallError:
    return ToolResultError(message, tool=call.function.name, call_id=call.id)
