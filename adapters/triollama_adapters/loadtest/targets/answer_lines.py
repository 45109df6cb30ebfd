"""What a line of an answer says, of each route. Only what a sample needs is decoded. No IO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from triollama import ProtocolError

__all__ = ["Event", "Line", "error_text", "read_event", "read_line"]

_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_T = TypeVar("_T")


class _Message(msgspec.Struct, gc=False):
    content: str | None = ""
    thinking: str | None = None
    tool_calls: list[Any] | None = None


class Line(msgspec.Struct, gc=False):
    """A line of ``/api/chat`` or ``/api/generate``, or the document of ``/api/embed``."""

    message: _Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    error: Any = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_duration: int | None = None
    eval_duration: int | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None


class _Used(msgspec.Struct, gc=False):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Event(msgspec.Struct, gc=False):
    """An event of ``/v1/chat/completions``."""

    choices: list[_Choice] | None = None
    usage: _Used | None = None
    error: Any = None


_decode_line: Final = msgspec.json.Decoder(Line).decode
_decode_event: Final = msgspec.json.Decoder(Event).decode


def read_line(data: bytes) -> Line:
    """A line of Ollama's own routes, or the document of ``/api/embed``.

    Raises:
        ProtocolError: it is none.
    """
    return _read(_decode_line, data)


def read_event(data: bytes) -> Event:
    """The data of an event of ``/v1/chat/completions``.

    Raises:
        ProtocolError: it is none.
    """
    return _read(_decode_event, data)


def error_text(error: object) -> str:
    """The words of an error: a text, or an object with a message."""
    if isinstance(error, dict):
        error = error.get("message", "")
    return str(error)[:1_000] or "no reason given"


def _read(decode: Callable[[bytes], _T], data: bytes) -> _T:
    try:
        return decode(data)
    except _ERRORS as error:
        # Not its text, which may hold a part of the answer.
        raise ProtocolError(f"a line cannot be read ({type(error).__name__})") from None
