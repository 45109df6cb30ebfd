"""Chats and completions whose answer is to be an object of a class, and tools that are functions.

Imported by who asks for either: plain calls do not pass here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, cast

from triollama._errors import InvalidRequestError
from triollama._requests import (
    ChatFields,
    GenerateFields,
    Kind,
    Urgency,
    chat_call,
    generate_call,
    with_others,
)
from triollama._runtime import Runtime
from triollama.actors.streams import Call
from triollama.api import (
    ChatChunk,
    ChatResponse,
    GenerateChunk,
    GenerateResponse,
    Message,
    MessagesInput,
)
from triollama.structured import Form, StructuredStream, ask_for, form_of, open_structured
from triollama.tools import definitions, messages_of

__all__ = [
    "chat_object",
    "chat_stream",
    "generate_object",
    "generate_stream",
    "with_definitions",
]

Fields = Mapping[str, Any]


def with_definitions(fields: Fields) -> dict[str, Any]:
    """The fields of a chat, with functions among its tools made into definitions."""
    return {**fields, "tools": definitions(fields.get("tools"))}


async def chat_object(
    runtime: Runtime,
    model: str,
    messages: MessagesInput,
    *,
    kind: Kind[ChatChunk, ChatResponse],
    urgency: Urgency,
    fields: Fields,
    retries_max: int,
) -> Any:
    """A chat's answer as an object; see `Answers.chat`."""
    prepare = partial(chat_call, model, messages, cast("ChatFields", _formless(fields)))
    form = await _form_of(fields["format"], prepare)
    sent = cast("ChatFields", {**with_definitions(fields), "format": form.schema})
    history = messages_of(messages) if messages else []

    async def ask(wrong: tuple[str, str] | None, left_s: float | None) -> ChatResponse:
        if wrong is not None:
            reply, complaint = wrong
            history.append(Message(role="assistant", content=reply))
            history.append(Message(role="user", content=complaint))
        prepare = partial(chat_call, model, history, sent)
        return await runtime.collect(kind, prepare, _within(urgency, left_s))

    return await ask_for(form, ask, retries_max, urgency.deadline_s)


async def generate_object(
    runtime: Runtime,
    model: str,
    prompt: str,
    *,
    kind: Kind[GenerateChunk, GenerateResponse],
    urgency: Urgency,
    fields: Fields,
    retries_max: int,
) -> Any:
    """A completion as an object; see `Answers.generate`.

    A second attempt has the first answer and what was wrong with it behind the prompt, unless the
    prompt is raw or has a suffix: then it is asked once more as it is.
    """
    is_exact = bool(fields.get("raw") or fields.get("suffix"))
    prepare = partial(generate_call, model, prompt, cast("GenerateFields", _formless(fields)))
    form = await _form_of(fields["format"], prepare)
    sent = cast("GenerateFields", {**fields, "format": form.schema})

    async def ask(wrong: tuple[str, str] | None, left_s: float | None) -> GenerateResponse:
        text = prompt if wrong is None or is_exact else "\n\n".join((prompt, *wrong))
        prepare = partial(generate_call, model, text, sent)
        return await runtime.collect(kind, prepare, _within(urgency, left_s))

    return await ask_for(form, ask, retries_max, urgency.deadline_s)


def chat_stream(
    runtime: Runtime,
    model: str,
    messages: MessagesInput,
    *,
    kind: Kind[ChatChunk, ChatResponse],
    urgency: Urgency,
    fields: Fields,
) -> AbstractAsyncContextManager[StructuredStream[ChatChunk, ChatResponse, Any]]:
    """A chat's answer as it comes, which becomes an object; see `Answers.stream_chat`."""
    form = form_of(fields["format"])
    sent = cast("ChatFields", {**with_definitions(fields), "format": form.schema})
    prepare = partial(chat_call, model, messages, sent)
    opening = runtime.open_stream(kind, prepare, urgency)
    return open_structured(opening, form)


def generate_stream(
    runtime: Runtime,
    model: str,
    prompt: str,
    *,
    kind: Kind[GenerateChunk, GenerateResponse],
    urgency: Urgency,
    fields: Fields,
) -> AbstractAsyncContextManager[StructuredStream[GenerateChunk, GenerateResponse, Any]]:
    """A completion as it comes, which becomes an object; see `Answers.stream_generate`."""
    form = form_of(fields["format"])
    sent = cast("GenerateFields", {**fields, "format": form.schema})
    prepare = partial(generate_call, model, prompt, sent)
    opening = runtime.open_stream(kind, prepare, urgency)
    return open_structured(opening, form)


def _formless(fields: Fields) -> dict[str, Any]:
    return {**fields, "format": None}


async def _form_of(given: Any, prepare: Callable[[], Awaitable[Call]]) -> Form[Any]:
    """See `form_of`; what can be none is told together with what else is wrong.

    Args:
        given: the form as it was given.
        prepare: makes the call without it, which is not sent.
    """
    try:
        return form_of(given)
    except InvalidRequestError as error:
        raise await with_others(error, prepare) from None


def _within(urgency: Urgency, left_s: float | None) -> Urgency:
    """The same, for what is left of its deadline."""
    return Urgency(left_s, urgency.priority, urgency.on_break, urgency.caller, urgency.tags)
