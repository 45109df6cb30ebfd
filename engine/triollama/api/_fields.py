"""The fields that several requests share, each with its check.

Owns one function per field: a converter ``x_field`` takes what the caller gave and returns what is
sent, None for unset; a validator ``check_x`` only looks. Each refuses a wrong type by the field's
name, so that the server need not be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from triollama._errors import InvalidRequestError

from ._json import plain_json, shown
from ._problems import refused
from .names import checked_name
from .times import DURATION_S_MAX, duration_s, is_duration

__all__ = [
    "FormatInput",
    "KeepAliveInput",
    "ThinkInput",
    "check_count",
    "check_flag",
    "check_text",
    "check_top_logprobs",
    "format_field",
    "keep_alive_field",
    "model_field",
    "think_field",
    "token_ids",
]

KeepAliveInput = float | str | timedelta | None
"""How long the model stays loaded: a number of seconds (negative: for ever), a Go duration such as
``"5m"`` or ``"1h30m"``, or a timedelta. None keeps what is set."""

ThinkInput = bool | str | None
"""Whether to think: a boolean, or ``"low"``, ``"medium"``, ``"high"``, ``"max"``."""

FormatInput = str | Mapping[str, Any] | None
"""The form of the answer: ``"json"``, or a JSON schema."""

_EFFORTS = ("low", "medium", "high", "max")
_BARE_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)\Z", re.ASCII)


def model_field(value: object) -> str:
    """Check a model's name; it is sent as given, without surrounding blanks."""
    if not isinstance(value, str):
        raise refused("model", type(value).__name__, "a str")
    if not value.strip():
        raise refused("model", "an empty text", "a model's name", "model is required")
    return checked_name(value)


def check_flag(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check an optional boolean. 0 and 1 are refused: the server refuses them as well."""
    if value is not None and not isinstance(value, bool):
        raise refused(field.name, type(value).__name__, "a bool")


def check_text(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check an optional text."""
    if value is not None and not isinstance(value, str):
        raise refused(field.name, type(value).__name__, "a str")


def check_top_logprobs(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check the number of alternatives per token: 0 to 20, as the server has it."""
    check_count(_request, field, value)
    if isinstance(value, int) and value > 20:
        raise refused(field.name, shown(value), "between 0 and 20")


def check_count(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check an optional integer that is not negative."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise refused(field.name, type(value).__name__, "an int")
    if value < 0:
        text = f"{field.name} must not be negative, and is {shown(value)}"
        raise refused(field.name, shown(value), "0 or more", text)


def token_ids(value: object) -> tuple[int, ...] | None:
    """Check the context of an earlier answer: a sequence of token ids."""
    if value is None:
        return None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        ids = tuple(value)
        if all(isinstance(token, int) and not isinstance(token, bool) for token in ids):
            return ids
    found, allowed = type(value).__name__, "a list of ints (token ids of an earlier answer)"
    raise refused("context", found, allowed, f"context must be {allowed}")


def think_field(value: object) -> bool | str | None:
    """Check how much to think."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value in _EFFORTS):
        return value
    found = "another text" if isinstance(value, str) else type(value).__name__
    raise refused("think", found, f"True, False or one of {', '.join(_EFFORTS)}")


def format_field(value: object) -> str | dict[str, Any] | None:
    """Check the form of the answer; an empty text is none, as it is to the server."""
    if value is None or value == "":
        return None
    if isinstance(value, Mapping):
        schema: dict[str, Any] = plain_json(value, "format")
        return schema
    if isinstance(value, str) and value == "json":
        return value
    found = f"another {type(value).__name__}"
    raise refused("format", found, '"json" or a mapping (a JSON schema)')


def keep_alive_field(value: object) -> float | str | None:
    """Check how long the model stays; seconds as a number, or a Go duration as text."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= DURATION_S_MAX:  # NaN is not
            raise refused("keep_alive", "NaN, infinite or too large", _KEEP_ALIVE, _ENDLESS)
        return value
    if not isinstance(value, str):
        raise refused("keep_alive", type(value).__name__, _KEEP_ALIVE)
    text = value.strip()
    if not is_duration(text):
        raise _no_duration(text)
    if len(text) > _SHORT_CHARS and not abs(duration_s(text)) <= DURATION_S_MAX:
        raise refused("keep_alive", "more than 292 years", _KEEP_ALIVE, _ENDLESS)
    return text


_SHORT_CHARS = 7  # 999999h are 114 years: what is as short is never too long
_KEEP_ALIVE = "seconds, a duration or a timedelta"
_ENDLESS = "keep_alive is NaN or infinite, or over 292 years; a negative number is for ever"


def _no_duration(text: str) -> InvalidRequestError:
    if _BARE_NUMBER.match(text):
        number = text[:40]
        told = f'keep_alive {number!r} has no unit: write the number {number}, or "{number}s"'
        return refused("keep_alive", "a number as text", _KEEP_ALIVE, f"{told} (both are seconds)")
    told = 'keep_alive is no duration: write seconds, or such as "5m", "1h30m"'
    return refused("keep_alive", "another text", _KEEP_ALIVE, told)
