"""How a broken answer goes on: the decisions, and the calls that are made of them.

No IO. `choose_way` says how the rest of an answer can be had, by what the request allows and what
of the answer has arrived; `chat_with` and `prompt_with` make the calls.

=========  =====================================  ==============================================
way        when                                   what is sent
=========  =====================================  ==============================================
resend     nothing has arrived                    the request again
chat       a chat, broken in its text             its messages, and the text so far as the last
                                                  one, of the assistant
raw        a raw prompt                           the prompt with the text so far behind it
rendered   another prompt, without thinking       the same, the prompt as the server renders it
replay     none of these, but the answer can      the request again; its beginning is compared
           only be the same (seed, temperature    with what has arrived, and left out
           0)
restart    it is wanted, or nothing was seen      the request again, from the beginning
=========  =====================================  ==============================================

A chat is broken "in its text" if the last that arrived is content: thinking that was cut cannot be
gone on with, nor can tool calls, nor the grammar of a structured output.
"""

from __future__ import annotations

import copy
import enum
from collections.abc import Sized
from typing import Any, TypeVar

import attrs

from triollama.actors.streams.messages import Call, OnBreak
from triollama.api import ChatRequest, GenerateRequest, Message, ToolCall, name_key

Request = ChatRequest | GenerateRequest
R = TypeVar("R", ChatRequest, GenerateRequest)


class Way(enum.Enum):
    """How an answer is had again, or its rest; see the module."""

    RESEND = "resend"
    CHAT = "chat"
    RAW = "raw"
    RENDERED = "rendered"
    REPLAY = "replay"
    RESTART = "restart"

    @property
    def is_splice(self) -> bool:
        """Whether the server is given what has arrived, and sends only the rest."""
        # Identity: to look an enum up in a set takes three times as long, and each request asks.
        return self is Way.CHAT or self is Way.RAW or self is Way.RENDERED


def _length(value: Sized) -> str:
    return f"<{len(value)} long>"


@attrs.frozen
class Delivered:
    """What has arrived of an answer.

    Attributes:
        content: the text.
        thinking: the thinking.
        tool_calls: the calls.
        tokens: chunks that brought these; a server sends one per token, or a few tokens in one.
        seen: whether its reader can have seen any of it.
    """

    content: str = attrs.field(default="", repr=_length)
    thinking: str = attrs.field(default="", repr=_length)
    tool_calls: tuple[ToolCall, ...] = attrs.field(default=(), repr=_length)
    tokens: int = 0
    seen: bool = True

    @property
    def characters(self) -> int:
        """Length of text and thinking together."""
        return len(self.content) + len(self.thinking)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that would be lost."""
        return not (self.content or self.thinking or self.tool_calls)


def choose_way(request: Request | None, delivered: Delivered, on_break: OnBreak) -> Way | None:
    """How an answer that broke is to go on; None if it cannot.

    Args:
        request: what was asked; None for an answer that is one document, of which nothing is seen
            before all of it, or a transcription, which cannot be gone on with.
        delivered: what has arrived.
        on_break: what the caller wants.
    """
    if delivered.is_empty:
        return Way.RESEND
    if on_break is OnBreak.RAISE and delivered.seen:
        return None
    if request is None:
        return Way.RESEND
    if on_break is not OnBreak.RESTART:
        if _can_splice(request, delivered):
            return _splice(request)
        if is_deterministic(request):
            return Way.REPLAY
    # To begin anew costs nobody a word who has not seen one.
    return Way.RESTART if on_break is OnBreak.RESTART or not delivered.seen else None


def _can_splice(request: Request, delivered: Delivered) -> bool:
    if delivered.tool_calls or request.format is not None or not delivered.content:
        return False
    # Where thinking ends is written differently for each model; only a chat's template knows.
    return isinstance(request, ChatRequest) or not delivered.thinking


def _splice(request: Request) -> Way:
    if isinstance(request, ChatRequest):
        return Way.CHAT
    return Way.RAW if request.raw else Way.RENDERED


def is_deterministic(request: Request) -> bool:
    """Whether the same request gives the same answer: it has a seed, and its temperature is 0."""
    options = request.options or {}
    # A seed of -1 stands for one that the server draws.
    return options.get("seed", -1) != -1 and options.get("temperature") == 0


def is_spent(request: Request | None, delivered: Delivered) -> bool:
    """Whether all tokens that were asked for have arrived, and only the last line is missing."""
    limit = _num_predict(request)
    return limit is not None and delivered.tokens >= limit


def _num_predict(request: Request | None) -> int | None:
    """The tokens that were asked for; None where they are not limited."""
    limit = (request.options or {}).get("num_predict") if request is not None else None
    return limit if isinstance(limit, int) and limit > 0 else None


def make_call(request: Request) -> Call:
    """A request, ready to be sent as a stream.

    Raises:
        InvalidRequestError: it is too large.
    """
    return Call(
        "POST",
        request.path,
        request.body(stream=True),
        request.model,
        name_key(request.model),
        wants_stream=True,
        request=request,
    )


def chat_with(request: ChatRequest, delivered: Delivered) -> Call:
    """The chat with the text so far as its last message.

    Servers join neighbours of the same role with a blank line, so a last message that is the
    assistant's already is made longer instead.

    Raises:
        InvalidRequestError: the request has become too large.
    """
    messages = request.messages
    before = Message(role="assistant")
    if messages and messages[-1].role.lower() == "assistant":
        before, messages = messages[-1], messages[:-1]
    last = Message(
        role="assistant",
        content=before.content + delivered.content,
        thinking=(before.thinking or "") + delivered.thinking or None,
        images=before.images,
        tool_calls=before.tool_calls,
    )
    options = _options_left(request, delivered)
    return make_call(_changed(request, messages=(*messages, last), options=options))


def prompt_with(request: GenerateRequest, rendered: str, delivered: Delivered) -> Call:
    """A completion with the text so far behind its prompt, not rendered again.

    Args:
        request: what was asked.
        rendered: the prompt as the model gets it.
        delivered: what has arrived.

    Raises:
        InvalidRequestError: the request has become too large.
    """
    return make_call(
        _changed(
            request,
            prompt=rendered + delivered.content,
            raw=True,
            suffix=None,
            system=None,
            template=None,
            context=None,
            # The rendered prompt says already whether to think; a raw answer is not to be parsed.
            think=request.think if request.raw else False,
            options=_options_left(request, delivered),
        )
    )


def render_call(request: GenerateRequest) -> Call:
    """Asks for the prompt as the server renders it; the answer is one document.

    Raises:
        InvalidRequestError: the request is too large.
    """
    asked = _changed(request, debug_render_only=True)
    key = name_key(request.model)
    return Call("POST", request.path, asked.body(stream=False), request.model, key)


def _changed(request: R, **fields: Any) -> R:
    """A request with other fields, which are right already.

    `attrs.evolve` would check all of it again, images included, while a reader waits.
    """
    changed = copy.copy(request)
    for name, value in fields.items():
        object.__setattr__(changed, name, value)
    return changed


def _options_left(request: Request, delivered: Delivered) -> dict[str, Any] | None:
    limit = _num_predict(request)
    if limit is None:
        return request.options
    return {**(request.options or {}), "num_predict": max(limit - delivered.tokens, 1)}


REPEATS_MAX = 30
"""Equal tokens in a row after which Ollama ends an answer, silently (``ollama-api.md`` §4.8)."""

_REPEATED_CHARACTERS_MAX = 32


def is_repetitive(text: str) -> bool:
    """Whether a text ends as one does that Ollama has cut off for repeating itself.

    Such an answer ends without its terminal line, like a broken one, but to go on with it would
    only repeat it more. Blanks do not count, as they do not for the server.
    """
    tail = "".join(text[-4 * _REPEATED_CHARACTERS_MAX * REPEATS_MAX :].split())
    return any(
        len(tail) >= size * REPEATS_MAX and tail.endswith(tail[-size:] * REPEATS_MAX)
        for size in range(1, _REPEATED_CHARACTERS_MAX + 1)
    )
