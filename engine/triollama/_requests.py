"""From a caller's arguments to calls that workers can send.

Owns the keyword arguments of the engine's methods, and the preparation of requests: validation,
reading of image files (in a thread, where there are any), encoding once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypedDict, TypeVar

import attrs
import trio

from triollama._doubts import tell_doubts
from triollama._errors import InvalidRequestError
from triollama._frozen import frozen_for_checker
from triollama.actors.streams import Call, Folds, OnBreak, Terms, make_call
from triollama.api import (
    ChatChunk,
    ChatFold,
    ChatRequest,
    ChatResponse,
    FormatInput,
    GenerateChunk,
    GenerateFold,
    GenerateRequest,
    GenerateResponse,
    ImageInput,
    KeepAliveInput,
    MessagesInput,
    OptionsInput,
    ThinkInput,
    ToolCall,
    ToolsInput,
    Usage,
    decode_chat_chunk,
    decode_generate_chunk,
    images_need_files,
    name_key,
    needs_files,
)
from triollama.api._json import shown
from triollama.api._problems import each_problem, refused

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class FreeAnswerFields(TypedDict, total=False):
    """What chat and generate have in common; None or absent leaves a field to the model."""

    options: OptionsInput
    keep_alive: KeepAliveInput
    think: ThinkInput
    truncate: bool | None
    shift: bool | None
    logprobs: bool | None
    top_logprobs: int | None
    debug_render_only: bool | None


class FreeChatFields(FreeAnswerFields, total=False):
    """The optional fields of a chat but for its ``format``."""

    tools: ToolsInput


class FreeGenerateFields(FreeAnswerFields, total=False):
    """The optional fields of a completion but for its ``format``."""

    suffix: str | None
    system: str | None
    template: str | None
    context: Sequence[int] | None
    raw: bool | None
    images: Sequence[ImageInput] | None


class ChatFields(FreeChatFields, total=False):
    """The optional fields of a chat; see `ChatRequest`."""

    format: FormatInput


class GenerateFields(FreeGenerateFields, total=False):
    """The optional fields of a completion; see `GenerateRequest`."""

    format: FormatInput


class Fold(Folds[C_contra], Protocol[C_contra, R_co]):
    """Collects an answer: `ChatFold` or `GenerateFold`."""

    def result(self, *, usage: Usage | None = None) -> R_co:
        """The answer so far; `usage` in place of the last event's."""


@attrs.frozen
class Kind(Generic[C, R_co]):
    """How one kind of stream is read.

    Attributes:
        decode: reads one line.
        fold: makes what collects the answer.
    """

    decode: Callable[[bytes, int], C]
    fold: Callable[[], Fold[C, R_co]]

    def telling(self, on_chunk: Callable[[C], object] | None) -> Kind[C, R_co]:
        """The same, with somebody who is told every chunk as it is folded; None is nobody.

        Whoever asks for this pays for it, with one call more per chunk, and nobody else does.
        """
        if on_chunk is None:
            return self
        return Kind(self.decode, lambda: _TellingFold(self.fold(), on_chunk))


class _TellingFold(Generic[C, R_co]):
    """A fold that tells each chunk on."""

    __slots__ = ("_add", "_fold", "_on_chunk", "reset", "result")

    def __init__(self, fold: Fold[C, R_co], on_chunk: Callable[[C], object]) -> None:
        self._fold = fold
        self._add = fold.add
        self._on_chunk = on_chunk
        self.reset = fold.reset
        self.result = fold.result

    def add(self, chunk: C, /) -> None:
        self._add(chunk)
        self._on_chunk(chunk)

    @property
    def text(self) -> str:
        return self._fold.text

    @property
    def thinking(self) -> str | None:
        return self._fold.thinking

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return self._fold.tool_calls


CHAT: Kind[ChatChunk, ChatResponse] = Kind(decode_chat_chunk, ChatFold)
GENERATE: Kind[GenerateChunk, GenerateResponse] = Kind(decode_generate_chunk, GenerateFold)


PRIORITY_MAX = 10
"""Priorities go from minus this to this: enough to tell a person from a batch, and from a probe."""

CALLER_CHARACTERS_MAX = 200
"""Of a caller's name, which is kept for as long as it has requests."""


@frozen_for_checker
class Urgency:
    """How a caller wants a request treated.

    Attributes:
        deadline_s: seconds from the beginning, or None for the engine's default.
        priority: higher goes first.
        on_break: ``continue``, ``restart`` or ``raise``.
        caller: on whose behalf; empty for nobody in particular.
        tags: what the endpoint must have.
    """

    deadline_s: float | None = None
    priority: int = 0
    on_break: str = "continue"
    caller: str = ""
    tags: Collection[str] = ()

    def terms(self, total_s: float) -> Terms:
        """The deadline counted from now, on trio's clock.

        Args:
            total_s: the default.

        Raises:
            InvalidRequestError: a deadline that is not in the future, a priority out of range, or a
                value of another type.
        """
        given_s = total_s if self.deadline_s is None else self.deadline_s
        try:
            limit_s = _seconds(given_s)
            return Terms(
                trio.current_time() + limit_s,
                limit_s,
                _priority(self.priority),
                on_break=_on_break(self.on_break),
                caller=_caller(self.caller),
                tags=_tags(self.tags),
            )
        except InvalidRequestError as first:
            checks: list[tuple[Callable[[Any], object], object]]
            checks = [(_seconds, given_s), (_priority, self.priority), (_on_break, self.on_break)]
            checks += [(_caller, self.caller), (_tags, self.tags)]
            raise each_problem(partial(check, value) for check, value in checks) or first from None


_ON_BREAK = {each.value: each for each in OnBreak}
_NO_TAGS: frozenset[str] = frozenset()


def _seconds(limit_s: object) -> float:
    if not isinstance(limit_s, int | float) or isinstance(limit_s, bool):
        raise refused("deadline_s", type(limit_s).__name__, "a number")
    if not limit_s > 0:  # NaN is not
        told = "deadline_s must be more than 0 seconds"
        raise refused("deadline_s", shown(limit_s), "more than 0 seconds", told)
    # What is no float cannot be added to one.
    return math.inf if limit_s > sys.float_info.max else limit_s


def _priority(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise refused("priority", type(value).__name__, "a whole number")
    if not -PRIORITY_MAX <= value <= PRIORITY_MAX:
        raise refused("priority", shown(value), f"from {-PRIORITY_MAX} to {PRIORITY_MAX}")
    return value


def _on_break(value: object) -> OnBreak:
    rule = _ON_BREAK.get(value) if isinstance(value, str) else None
    if rule is None:
        known = f"one of {', '.join(map(repr, _ON_BREAK))}"
        found = "another text" if isinstance(value, str) else type(value).__name__
        raise refused("on_break", found, known, f"on_break must be {known}")
    return rule


def _caller(value: object) -> str:
    if not isinstance(value, str):
        raise refused("caller", type(value).__name__, "text")
    if len(value) > CALLER_CHARACTERS_MAX:
        told = f"caller is longer than {CALLER_CHARACTERS_MAX} characters"
        allowed = f"at most {CALLER_CHARACTERS_MAX} characters"
        raise refused("caller", f"{len(value)} characters", allowed, told)
    return value


def _tags(value: object) -> frozenset[str]:
    if value == ():
        return _NO_TAGS
    if isinstance(value, str) or not isinstance(value, Collection):
        raise refused("tags", type(value).__name__, "several texts")
    if not all(isinstance(tag, str) for tag in value):
        raise refused("tags", "something else", "several texts", "tags must be several texts")
    return frozenset(value)


async def chat_call(model: str, messages: MessagesInput, fields: ChatFields) -> Call:
    """A chat, validated and encoded.

    Raises:
        InvalidRequestError: the request is wrong; nothing was sent.
    """
    make = partial(ChatRequest.make, model, messages, **fields)
    request = await _in_thread(make) if needs_files(messages) else make()
    if request.options is not None:
        tell_doubts(request)
    return make_call(request)


async def generate_call(model: str, prompt: str | None, fields: GenerateFields) -> Call:
    """A completion, validated and encoded.

    Raises:
        InvalidRequestError: the request is wrong; nothing was sent.
    """
    make = partial(GenerateRequest.make, model, prompt, **fields)
    reads_files = images_need_files(fields.get("images"))
    request = await _in_thread(make) if reads_files else make()
    if request.options is not None:
        tell_doubts(request)
    return make_call(request)


async def with_others(
    error: InvalidRequestError, prepare: Callable[[], Awaitable[Call]]
) -> InvalidRequestError:
    """A refusal of the terms, together with what is wrong with the request itself.

    Args:
        error: what is wrong with the terms.
        prepare: makes the call, which is not sent.
    """
    try:
        await prepare()
    except InvalidRequestError as other:
        return InvalidRequestError(problems=[*other.problems, *error.problems])
    return error


def document_call(path: str, model: str, body: bytes) -> Call:
    """A POST whose answer is one JSON document."""
    return Call("POST", path, body, model, name_key(model))


def query_call(path: str) -> Call:
    """A GET whose answer is one JSON document."""
    return Call("GET", path)


Q = TypeVar("Q", ChatRequest, GenerateRequest)


async def _in_thread(make: Callable[[], Q]) -> Q:
    """Make a request that reads files, which may take a while."""
    return await trio.to_thread.run_sync(make)
