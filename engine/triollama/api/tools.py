"""The ``tools`` of a chat: the functions that a model may ask for, as JSON schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from triollama._errors import InvalidRequestError

from ._json import plain_json
from ._problems import each_problem, refused

__all__ = ["ToolsInput", "prepare_tools"]

ToolsInput = Sequence[Mapping[str, Any] | Any] | None
"""What a chat takes as tools: mappings ``{"type": "function", "function": {"name": …, …}}``, or
objects with a ``model_dump()``."""


def prepare_tools(tools: object) -> tuple[dict[str, Any], ...] | None:
    """Check tools and copy them into plain JSON; None if there are none.

    Raises:
        InvalidRequestError: another type, a tool without ``function.name``, or a schema that JSON
            cannot carry.
    """
    if tools is None:
        return None
    if not isinstance(tools, list | tuple):
        raise refused("tools", type(tools).__name__, "a list of tools")
    try:
        return tuple(_tool(tool, f"tools[{at}]") for at, tool in enumerate(tools)) or None
    except InvalidRequestError as first:
        every = (partial(_tool, tool, f"tools[{at}]") for at, tool in enumerate(tools))
        raise each_problem(every) or first from None


def _tool(tool: object, where: str) -> dict[str, Any]:
    """Check one tool."""
    dump = getattr(tool, "model_dump", None)
    if callable(dump) and not isinstance(tool, type):
        tool = dump(by_alias=True, exclude_none=True)
    if not isinstance(tool, Mapping):
        form = '{"type": "function", "function": {"name": …, "parameters": {…}}}'
        told = "a callable" if callable(tool) else type(tool).__name__
        raise refused(where, told, "a mapping", f"{where} is {told}; write it as a mapping: {form}")
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not name:
        told = f"{where} has no function.name"
        raise refused(f"{where}.function.name", "no name", "a text that is not empty", told)
    plain: dict[str, Any] = plain_json({"type": "function", **tool}, where)
    return plain
