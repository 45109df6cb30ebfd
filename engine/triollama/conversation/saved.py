"""A chat as JSON: what is written, and what may be read back.

Version 1 is one object:

============  ==================================================================================
``format``    ``"triollama.chat"``
``version``   1; a change that older readers would misread gets the next number
``model``     the model's name
``system``    the system prompt, or null
``messages``  as in Ollama's chat API, images in base64
``settings``  ``options``, ``keep_alive``, ``think``, … ; ``format``; ``tokens_max``, …
``tools``     definitions of tools that are not called here
``functions`` names of tools that are called here: the program gives them when it loads
``class``     the name of the class that answers become, which the program gives as well
============  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from triollama._errors import InvalidRequestError
from triollama.api import Message
from triollama.api.messages import prepare_messages
from triollama.conversation.asking import Settings
from triollama.conversation.errors import ChatFileError

__all__ = ["CHAT_BYTES_MAX", "FORMAT", "VERSION", "arguments_of", "to_json"]

FORMAT: Final = "triollama.chat"

VERSION: Final = 1

CHAT_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of a saved chat: twice what one request can carry."""

_MINE: Final = ("tokens_max", "answer_tokens", "keeps_thinking", "format_retries_max")
_SETTINGS: Final = frozenset(
    {
        *_MINE,
        *("format", "options", "keep_alive", "think", "truncate", "shift"),
        *("logprobs", "top_logprobs", "debug_render_only"),
    }
)


def to_json(settings: Settings, history: Sequence[Message]) -> str:
    """A chat as JSON text.

    Raises:
        InvalidRequestError: a text holds a lone surrogate, which JSON in UTF-8 cannot carry.
    """
    kept: dict[str, Any] = {
        **settings.fields,
        "keeps_thinking": settings.keeps_thinking,
        "format_retries_max": settings.format_retries_max,
    }
    if settings.form is None and settings.format is not None:
        kept["format"] = settings.format
    if settings.budget is not None:
        kept["tokens_max"] = settings.budget.tokens_max
        kept["answer_tokens"] = settings.answer_tokens
    told = settings.definitions or ()
    chat = {
        "format": FORMAT,
        "version": VERSION,
        "model": settings.model,
        "system": settings.system[0].content if settings.system else None,
        "messages": list(history),
        "settings": kept,
        "tools": [] if settings.is_running_tools else list(told),
        "functions": [each.name for each in settings.tools] if settings.is_running_tools else [],
        "class": None if settings.form is None else settings.form.name,
    }
    try:
        return msgspec.json.encode(chat).decode()
    except UnicodeEncodeError:
        raise InvalidRequestError("a text of the chat holds a lone surrogate") from None


def arguments_of(text: str | bytes, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `make_settings` that a saved chat stands for.

    Args:
        text: what `to_json` gave.
        given: ``tools``, ``format`` and others that the program gives; they go before the saved.

    Raises:
        ChatFileError: it is no saved chat, of a later version, or lacks what must be given.
    """
    chat = _read(text)
    settings = _part(chat, "settings", dict)
    unknown = sorted(str(name) for name in settings.keys() - _SETTINGS)
    if unknown:
        raise ChatFileError(f"settings has what this version does not know: {', '.join(unknown)}")
    arguments = {
        "model": _part(chat, "model", str),
        "system": _part(chat, "system", str, None),
        "history": _messages(chat),
        "tools": _part(chat, "tools", list, []),
        **settings,
        **given,
    }
    if "tokens_max" in given and given["tokens_max"] is None:
        arguments["answer_tokens"] = given.get("answer_tokens")  # room within what is given up
    names = _part(chat, "functions", list, [])
    if names and "tools" not in given:
        raise ChatFileError(
            f"the chat was saved with the tools {', '.join(map(str, names))}, which only the "
            "program has; give them as tools=, or tools=() to go on without"
        )
    name = _part(chat, "class", str, None)
    if name is not None and "format" not in given:
        raise ChatFileError(
            f"the chat's answers were objects of {name}, which only the program has; "
            "give it as format=, or format=None to go on without"
        )
    return arguments


def _read(text: str | bytes) -> Mapping[str, Any]:
    if not isinstance(text, str | bytes):
        raise ChatFileError(f"a saved chat is text, not {type(text).__name__}")
    if len(text) > CHAT_BYTES_MAX:
        raise ChatFileError(f"a saved chat has at most {CHAT_BYTES_MAX} bytes")
    try:
        chat = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # A codec's exception carries the text itself.
        where = f": {error}" if isinstance(error, msgspec.DecodeError) else ""
        raise ChatFileError(f"this is not JSON{where}") from None
    if not isinstance(chat, dict) or chat.get("format") != FORMAT:
        raise ChatFileError(f'this is no saved chat: it has no "format": "{FORMAT}"')
    version = chat.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ChatFileError("version must be a whole number of at least 1")
    if version > VERSION:
        raise ChatFileError(
            f"the chat was saved as version {version}, and this triollama reads up to {VERSION}; "
            "use a newer one"
        )
    return chat


def _messages(chat: Mapping[str, Any]) -> Sequence[Message]:
    try:
        return prepare_messages(_part(chat, "messages", list))
    except InvalidRequestError as error:
        raise ChatFileError(f"the saved chat: {error}") from error


_REQUIRED: Final = object()


def _part(chat: Mapping[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    value = chat.get(name, default)
    if value is _REQUIRED:
        raise ChatFileError(f"the saved chat has no {name}")
    if value is not default and not isinstance(value, kind):
        found, allowed = type(value).__name__, kind.__name__
        raise ChatFileError(f"{name} of the saved chat must be {allowed}, not {found}")
    return value
