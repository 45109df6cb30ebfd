"""By what answers are the same: the keys of a vote. No IO, but for a function of the user's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from triollama import ChatResponse, GenerateResponse
from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.output.columns import json_of
from triollama_adapters.batch.rows import Answer, Ask
from triollama_adapters.batch.work.functions import Function, load_function, text_of

__all__ = [
    "NUMBER",
    "TEXT",
    "Key",
    "KeyOf",
    "key_of_choice",
    "key_of_name",
    "last_number",
    "normal_text",
]

TEXT: Final = "text"
NUMBER: Final = "number"

Key = Callable[[ChatResponse | GenerateResponse], str | None]
"""Gives what an answer votes for; None if it has no vote."""

KeyOf = Callable[[Answer, Ask], Awaitable[str | None]]
"""The same, which may take its time. Raises `FunctionError`."""

_SIGN: Final = r"(?:(?<![\w)])[-\u2212])?"
_NUMBER: Final = re.compile(
    rf"{_SIGN}(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?:\.\d+)?|{_SIGN}(?<!\d)\.\d+"
)
"""With a sign that is no minus between two numbers or a hyphen, and commas between thousands."""

_STEP: Final = re.compile(r"\.([^.\[\]'\"]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")

_encode = msgspec.json.Encoder(order="sorted").encode


def key_of_choice(chosen: str | Callable[..., Any] | None) -> KeyOf:
    """What answers vote for, by what was chosen.

    Args:
        chosen: a name that `key_of_name` knows, or a function, or its name ``MODULE:FUNCTION``.

    Raises:
        ChoiceError: there is no such function, or it is a path that cannot be followed.
    """
    is_name = isinstance(chosen, str) and (":" not in chosen or chosen.startswith("$"))
    if chosen is None or (isinstance(chosen, str) and is_name):
        return _key_by(key_of_name(chosen))
    return _key_by_function(load_function(chosen, "--vote-key"))


def _key_by(key: Key) -> KeyOf:
    """A key that is found in the text."""

    async def key_of(answer: Answer, ask: Ask) -> str | None:  # noqa: ARG001 - as `KeyOf` has it
        assert isinstance(answer, ChatResponse | GenerateResponse)
        return key(answer)

    return key_of


def _key_by_function(function: Function) -> KeyOf:
    """A key that a function of the user's gives: any value, told apart by its text."""

    async def key_of(answer: Answer, ask: Ask) -> str | None:
        return await function.call(answer, ask, lambda key: None if key is None else text_of(key))

    return key_of


def key_of_name(name: str | None) -> Key:
    """The key that an option names.

    Args:
        name: ``text`` or None for the whole text; ``number`` for the last number in it; else a
            field of the JSON object that an answer is, or a path such as ``$.result[0].name``.

    Raises:
        ChoiceError: it is a path, but none that can be followed.
    """
    if name is None or name == TEXT:
        return lambda answer: normal_text(answer.content)
    if name == NUMBER:
        return lambda answer: last_number(answer.content)
    steps = _steps(name) if name.startswith("$") else [name]
    return lambda answer: _found(answer.content, steps)


def normal_text(text: str) -> str | None:
    """A text without what makes no other answer of it: case, spaces, punctuation around it."""
    words = unicodedata.normalize("NFKC", text).casefold().split()
    return _stripped(" ".join(words)) or None


def last_number(text: str) -> str | None:
    """The last number in a text, as ``72`` of ``so she pays $72.00.``; None if it has none."""
    last = None
    for match in _NUMBER.finditer(text):
        last = match[0]
    if last is None:
        return None
    whole, _, part = last.lstrip("-\u2212").replace(",", "").partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    digits = f"{whole}.{part}" if part else whole
    return digits if digits == "0" or last[0] not in "-\u2212" else f"-{digits}"


def _stripped(text: str) -> str:
    """Without the punctuation at both ends, unless it is nothing else."""
    start, end = 0, len(text)
    while start < end and not _counts(text[start]):
        start += 1
    while end > start and not _counts(text[end - 1]):
        end -= 1
    return text[start:end] or text


def _counts(character: str) -> bool:
    """Whether a character is no punctuation or space: signs such as + and $ are neither."""
    return unicodedata.category(character)[0] not in "PZ" or character == "-"


def _steps(path: str) -> list[str | int]:
    """The steps of a path: names and places."""
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ChoiceError(
                f"--vote-key {path}: only steps such as .name, ['name'] and [0] can be followed"
            )
        dotted, place, single, double = step.groups()
        steps.append(int(place) if place is not None else dotted or single or double or "")
        at = step.end()
    return steps


def _found(text: str, steps: Sequence[str | int]) -> str | None:
    """What stands there in an answer that is JSON; None if nothing does."""
    try:
        value: Any = json_of(text)
    except ValueError:
        return None
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    if value is None:
        return None
    return normal_text(value) if isinstance(value, str) else _encode(value).decode()
