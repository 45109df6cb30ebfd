"""What a conversation needs of an engine, and what it asks it with. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol, TypedDict, cast

import attrs

from triollama._errors import InvalidRequestError, Problem
from triollama._requests import FreeAnswerFields
from triollama.api import ChatRequest, Message, MessagesInput
from triollama.api._problems import each_problem, refused
from triollama.api.messages import prepare_messages
from triollama.conversation.fitting import Budget
from triollama.structured import RETRIES_MAX, Form, form_of
from triollama.tools import Tool, ToolRules, definitions, tools_of

__all__ = ["ANSWER_TOKENS", "ChatFields", "Chats", "Settings", "Terms", "make_settings"]

ANSWER_TOKENS: Final = 1_024
"""Room for an answer, where ``num_predict`` does not say it: a page and a half."""

_SENT: Final = (
    "options",
    "keep_alive",
    "think",
    "truncate",
    "shift",
    "logprobs",
    "top_logprobs",
    "debug_render_only",
)


class Chats(Protocol):
    """What answers: an engine. These are properties because its methods have overloads."""

    @property
    def chat(self) -> Callable[..., Any]:
        """One whole answer."""

    @property
    def stream_chat(self) -> Callable[..., Any]:
        """One answer as it comes."""

    @property
    def run_tools(self) -> Callable[..., Any]:
        """Answers, and the calls of tools between them."""

    @property
    def chat_with_tools(self) -> Callable[..., Any]:
        """The last of these answers."""

    @property
    def count_tokens(self) -> Callable[..., Any]:
        """Tokens of messages."""


class ChatFields(FreeAnswerFields, total=False):
    """What holds for all turns of a chat; see `triollama.Chat`."""

    system: str | None
    tools: Sequence[Callable[..., Any] | Mapping[str, Any]]
    tokens_max: int | None
    answer_tokens: int | None
    keeps_thinking: bool
    format_retries_max: int
    tool_rules: ToolRules | None


class Terms(TypedDict, total=False):
    """How one turn is treated; see `Engine.stream_chat`."""

    deadline_s: float | None
    priority: int
    on_break: Literal["continue", "restart", "raise"]
    caller: str
    tags: Collection[str]


@attrs.frozen(kw_only=True)
class Settings:
    """What holds for all turns, checked.

    Attributes:
        model: the model's name.
        system: the system prompt, as no message or one.
        tools: what the engine is given as ``tools``.
        definitions: what the model is told of them; None if there are none.
        is_running_tools: whether the tools are functions, which are called here.
        form: how an answer becomes an object; None if it is a text.
        format: what is sent as ``format``; None if nothing is.
        fields: the other fields of a request that are set.
        budget: what a turn may have; None for no limit.
        answer_tokens: room for the answer, if the caller said it.
        keeps_thinking: whether the history has what was thought.
        format_retries_max: see `Engine.chat`.
        tool_rules: the limits of tools.
        is_reloading: whether the fields have options for which a server loads the model anew.
    """

    model: str
    system: tuple[Message, ...] = attrs.field(repr=False)
    tools: Sequence[Any] = attrs.field(repr=False)
    definitions: tuple[dict[str, Any], ...] | None = attrs.field(repr=False)
    is_running_tools: bool
    form: Form[Any] | None
    format: str | dict[str, Any] | None = attrs.field(repr=False)
    fields: dict[str, Any]
    budget: Budget | None
    answer_tokens: int | None
    keeps_thinking: bool
    format_retries_max: int
    tool_rules: ToolRules | None
    is_reloading: bool

    def sent(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of a chat in which no tool is called."""
        tools = {} if self.definitions is None else {"tools": self.definitions}
        return {**self.fields, "format": self.format, **tools, **terms}

    def sent_with_tools(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of a run of tools."""
        rules = {} if self.tool_rules is None else attrs.asdict(self.tool_rules)
        return {**self.fields, "format": self.format, "tools": self.tools, **rules, **terms}


def make_settings(
    model: str,
    *,
    system: str | None = None,
    tools: Sequence[Callable[..., Any] | Mapping[str, Any]] = (),
    format: Any = None,  # noqa: A002 - the field's name in Ollama's API
    tokens_max: int | None = None,
    answer_tokens: int | None = None,
    keeps_thinking: bool = False,
    format_retries_max: int = 1,
    tool_rules: ToolRules | None = None,
    history: MessagesInput = None,
    **fields: Any,
) -> tuple[Settings, tuple[Message, ...]]:
    """Check everything, and give it with the history as messages.

    Raises:
        InvalidRequestError: all that is wrong with what would be sent.
        SchemaError: a function cannot be a tool, or a class no format.
    """
    is_plain = format is None or isinstance(format, str | Mapping)
    form = None if is_plain else form_of(format)
    is_running = _are_functions(tools)
    if is_running:
        tools = tuple(tools_of(cast("Sequence[Callable[..., Any]]", tools)).values())
    request = partial(
        ChatRequest.make,
        model,
        [] if system is None else [{"role": "system", "content": system}],
        tools=definitions(tools),
        format=format if form is None else form.schema,
        **fields,
    )
    own = partial(_check_own, keeps_thinking, format_retries_max)
    wrong = each_problem([request, partial(_history, history), own])
    if wrong is not None:
        raise wrong
    made = request()
    settings = Settings(
        model=made.model,
        system=made.messages,
        tools=tuple(tools),
        definitions=made.tools,
        is_running_tools=is_running,
        form=form,
        format=made.format,
        fields={name: value for name in _SENT if (value := getattr(made, name)) is not None},
        budget=_budget(tokens_max, answer_tokens, made.options or {}),
        answer_tokens=answer_tokens,
        keeps_thinking=keeps_thinking,
        format_retries_max=format_retries_max,
        tool_rules=tool_rules,
        is_reloading=bool(made.runner_options),
    )
    return settings, _history(history)


def _are_functions(tools: object) -> bool:
    if not isinstance(tools, list | tuple):
        raise InvalidRequestError(f"tools must be a list of tools, not {type(tools).__name__}")
    return any(isinstance(tool, Tool) or _is_function(tool) for tool in tools)


def _is_function(tool: object) -> bool:
    return callable(tool) and not isinstance(tool, Mapping) and not hasattr(tool, "model_dump")


def _history(history: MessagesInput) -> tuple[Message, ...]:
    if isinstance(history, str):
        raise refused("history", "str", "a list of messages")
    try:
        return prepare_messages(history)
    except InvalidRequestError as error:
        named = [
            attrs.evolve(each, path=f"history: {each.path}", text=f"history: {each}")
            for each in error.problems
        ]
        raise InvalidRequestError(problems=named) from None


def _check_own(keeps_thinking: object, retries_max: object) -> None:
    if not isinstance(keeps_thinking, bool):
        raise refused("keeps_thinking", type(keeps_thinking).__name__, "a bool")
    is_number = isinstance(retries_max, int) and not isinstance(retries_max, bool)
    if not is_number or not 0 <= retries_max <= RETRIES_MAX:  # type: ignore[operator]
        found = type(retries_max).__name__
        raise refused("format_retries_max", found, f"a whole number from 0 to {RETRIES_MAX}")


def _budget(tokens_max: object, answer_tokens: object, options: Mapping[str, Any]) -> Budget | None:
    problems = [
        Problem(name, str(value) if isinstance(value, int) else type(value).__name__, _COUNT)
        for name, value in (("tokens_max", tokens_max), ("answer_tokens", answer_tokens))
        if value is not None and not _is_count(value)
    ]
    if problems:
        raise InvalidRequestError(problems=problems)
    if tokens_max is None and answer_tokens is not None:
        raise InvalidRequestError("answer_tokens means nothing without tokens_max")
    if tokens_max is None:
        return None
    predicted = options.get("num_predict")
    room = answer_tokens or (predicted if _is_count(predicted) else ANSWER_TOKENS)
    assert isinstance(tokens_max, int)
    assert isinstance(room, int)
    if room >= tokens_max:
        text = f"the answer's {room} tokens leave nothing of tokens_max = {tokens_max}"
        raise InvalidRequestError(f"{text}; raise it, or set answer_tokens")
    return Budget(tokens_max, room)


_COUNT: Final = "a whole number of at least 1"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
