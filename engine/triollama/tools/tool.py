"""`Tool`: a typed function that a model may call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, ParamSpec, TypeVar, overload

import trio
from trio.lowlevel import RunVar

from triollama._errors import InvalidRequestError
from triollama._schema import SchemaError
from triollama.tools.signature import Parameters, docstring_of, name_of, read_parameters

__all__ = ["Tool", "ToolInput", "definitions", "tool", "tools_of"]

THREADS_MAX: Final = 64
"""Functions that run in threads at once, in all. One that hangs keeps its thread: a thread cannot
be stopped; so there is a bound, and further calls wait for a place until their deadline."""

P = ParamSpec("P")
R = TypeVar("R")


class Tool(Generic[P, R]):
    """A typed function with what a model is told of it. Made by `tool`; called like the function.

    Attributes:
        name: what the model calls it.
        description: what it does.
        parameters: the JSON schema of its parameters, as Ollama keeps it.
        call_s: seconds that one call may take; None for the limit of the run.
        is_async: whether the function is awaited; others run in a thread.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        call_s: float | None = None,
    ) -> None:
        if not callable(function):
            raise SchemaError(f"a tool is a function, not {type(function).__name__}")
        self.function = function
        self.name = name or name_of(function)
        self.description = docstring_of(function)[0] if description is None else description
        self.call_s = call_s
        if call_s is not None and not call_s > 0:
            raise InvalidRequestError(f"tool {self.name!r}: call_s must be more than 0 seconds")
        self._parameters: Parameters = read_parameters(function, self.name)
        called = getattr(function, "__call__", None)  # noqa: B004 - an object's own, async or not
        self.is_async = inspect.iscoroutinefunction(function) or (
            inspect.iscoroutinefunction(called)
        )

    def __repr__(self) -> str:
        return f"<Tool {self.name!r}: {', '.join(self.parameters['properties'])}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, as it is."""
        return self.function(*args, **kwargs)

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the parameters."""
        return self._parameters.schema

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as one of a request's ``tools``."""
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters
        return {"type": "function", "function": function}

    async def call(self, arguments: Mapping[str, Any]) -> object:
        """Check and convert arguments, and call the function with them.

        A function that is not async runs in a thread; if cancelled, it is left to itself there.

        Args:
            arguments: decoded JSON, as a model gives it.

        Raises:
            ToolArgumentsError: the arguments do not fit.
            Exception: what the function raises.
        """
        return await self.run(self.values_of(arguments))

    def values_of(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments, checked and converted to what the function takes.

        Raises:
            ToolArgumentsError: they do not fit.
        """
        return self._parameters.convert(self.name, arguments)

    async def run(self, values: Mapping[str, Any]) -> object:
        """Call the function with values of its parameters' types; see `call`.

        What a function that is not async returns may be awaitable, as a decorator's is that hides
        an async function: then it is awaited.

        Raises:
            Exception: what the function raises.
        """
        function: Callable[..., Any] = self.function
        if self.is_async:
            return await function(**values)

        def run() -> tuple[Any]:
            return (function(**values),)  # trio refuses a bare coroutine

        (made,) = await trio.to_thread.run_sync(run, abandon_on_cancel=True, limiter=_threads())
        return await made if inspect.isawaitable(made) else made


ToolInput = Tool[..., Any] | Callable[..., Any]
"""What can be called as a tool: a `Tool`, or a typed function."""


@overload
def tool(function: Callable[P, R]) -> Tool[P, R]: ...


@overload
def tool(
    *, name: str | None = None, description: str | None = None, call_s: float | None = None
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    call_s: float | None = None,
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a typed function, sync or async, a tool that a model may call.

    Its signature gives the parameters: numbers, texts, booleans, enums, Literal, Optional, lists,
    dicts, dates, and attrs classes, dataclasses, msgspec.Structs and TypedDicts of these. Its
    docstring gives the descriptions (Google, NumPy or reST style), and ``Annotated`` with
    `msgspec.Meta` the bounds.

    Args:
        function: the function; none where the decorator has arguments.
        name: what the model calls it; by default the function's name.
        description: by default what the docstring says before the parameters.
        call_s: seconds that one call may take; by default the limit of the run.

    Raises:
        SchemaError: a parameter cannot be said as a JSON schema; the message says which and why.
    """
    if function is not None:
        return Tool(function, name=name, description=description, call_s=call_s)

    def decorate(decorated: Callable[P, R]) -> Tool[P, R]:
        return Tool(decorated, name=name, description=description, call_s=call_s)

    return decorate


def definitions(tools: object) -> object:
    """The ``tools`` of a request, with functions and `Tool`s as mappings; the rest as it is.

    Raises:
        SchemaError: a function cannot be a tool.
    """
    if not isinstance(tools, list | tuple):
        return tools
    return [_definition(each) for each in tools]


def _definition(each: Any) -> Any:
    if isinstance(each, Tool):
        return each.definition
    if callable(each) and not isinstance(each, Mapping) and not hasattr(each, "model_dump"):
        return Tool(each).definition
    return each


def tools_of(tools: Sequence[Callable[..., Any]]) -> dict[str, Tool[..., Any]]:
    """Tools by name.

    Raises:
        SchemaError: a function cannot be a tool.
        InvalidRequestError: something that cannot be called, or two of one name.
    """
    if not isinstance(tools, list | tuple):
        raise InvalidRequestError(f"tools must be a list of tools, not {type(tools).__name__}")
    made: dict[str, Tool[..., Any]] = {}
    for at, each in enumerate(tools):
        if not callable(each):
            raise InvalidRequestError(
                f"tools[{at}] is {type(each).__name__}, which cannot be called; "
                "give a function or a Tool"
            )
        found = each if isinstance(each, Tool) else Tool(each)
        if found.name in made:
            raise InvalidRequestError(f"tools[{at}]: there are two tools named {found.name!r}")
        made[found.name] = found
    return made


_limiter: RunVar[trio.CapacityLimiter] = RunVar("triollama_tool_threads")


def _threads() -> trio.CapacityLimiter:
    """The places for functions in threads, of this run of trio."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = trio.CapacityLimiter(THREADS_MAX)
        _limiter.set(limiter)
        return limiter
