"""The fields that several requests share, each with its check.

Owns one function per field: a converter ``x_field`` takes what the caller gave and returns what is
sent, None for unset; a validator ``check_x`` only looks. Each refuses a wrong type by the field's
name, so that the server need not be asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from triollama._errors import InvalidRequestError

from ._json import plain_json
from .names import checked_name

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
# Go takes both letters mu.
_GO_UNIT = r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)"
_GO_DURATION = re.compile(rf"[+-]?(?:0|(?:{_GO_UNIT})+)\Z", re.ASCII)
_BARE_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)\Z", re.ASCII)


def model_field(value: object) -> str:
    """Check a model's name; it is sent as given, without surrounding blanks."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"model must be a str, not {type(value).__name__}")
    if not value.strip():
        raise InvalidRequestError("model is required")
    return checked_name(value)


def check_flag(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check an optional boolean. 0 and 1 are refused: the server refuses them as well."""
    if value is not None and not isinstance(value, bool):
        raise InvalidRequestError(f"{field.name} must be a bool, not {type(value).__name__}")


def check_text(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check an optional text."""
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"{field.name} must be a str, not {type(value).__name__}")


def check_top_logprobs(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check the number of alternatives per token: 0 to 20, as the server has it."""
    check_count(_request, field, value)
    if isinstance(value, int) and value > 20:
        raise InvalidRequestError(f"{field.name} must be between 0 and 20, not {value}")


def check_count(_request: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check an optional integer that is not negative."""
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequestError(f"{field.name} must be an int, not {type(value).__name__}")
    if value < 0:
        raise InvalidRequestError(f"{field.name} must not be negative, and is {value}")


def token_ids(value: object) -> tuple[int, ...] | None:
    """Check the context of an earlier answer: a sequence of token ids."""
    if value is None:
        return None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        ids = tuple(value)
        if all(isinstance(token, int) and not isinstance(token, bool) for token in ids):
            return ids
    raise InvalidRequestError("context must be a list of ints (token ids of an earlier answer)")


def think_field(value: object) -> bool | str | None:
    """Check how much to think."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and value in _EFFORTS):
        return value
    raise InvalidRequestError(f"think must be True, False or one of {', '.join(_EFFORTS)}")


def format_field(value: object) -> str | dict[str, Any] | None:
    """Check the form of the answer; an empty text is none, as it is to the server."""
    if value is None or value == "":
        return None
    if isinstance(value, Mapping):
        schema: dict[str, Any] = plain_json(value, "format")
        return schema
    if isinstance(value, str) and value == "json":
        return value
    raise InvalidRequestError(
        f'format must be "json" or a mapping (a JSON schema), not another {type(value).__name__}'
    )


def keep_alive_field(value: object) -> float | str | None:
    """Check how long the model stays; seconds as a number, or a Go duration as text."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise InvalidRequestError(
                "keep_alive is NaN or infinite; a negative number is for ever"
            )
        return value
    if not isinstance(value, str):
        raise InvalidRequestError(
            f"keep_alive must be seconds, a duration or a timedelta, not {type(value).__name__}"
        )
    text = value.strip()
    if _GO_DURATION.match(text):
        return text
    if _BARE_NUMBER.match(text):
        raise InvalidRequestError(
            f"keep_alive {text[:40]!r} has no unit: write the number {text[:40]}, "
            f'or "{text[:40]}s" (both are seconds)'
        )
    raise InvalidRequestError('keep_alive is no duration: write seconds, or such as "5m", "1h30m"')
