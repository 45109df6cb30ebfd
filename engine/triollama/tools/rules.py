"""The limits of a run of tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import attrs

from triollama._errors import InvalidRequestError

__all__ = ["ErrorRule", "TellRule", "ToolRules"]

ErrorRule = Literal["tell", "raise"]
"""What a call that gives no result does: tell the model, or end the run."""

TellRule = Literal["type", "message"]
"""What the model is told of an exception: its class, or its message as well."""


def _above_zero(_rules: object, field: attrs.Attribute[Any], value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not value > 0:  # NaN is not
        raise InvalidRequestError(f"{field.name} must be a number above 0")


def _whole(_rules: object, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidRequestError(f"{field.name} must be a whole number, 1 or more")


def _one_of(*allowed: str) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    def check(_rules: object, field: attrs.Attribute[Any], value: Any) -> None:
        if value not in allowed:
            raise InvalidRequestError(f"{field.name} must be one of {', '.join(allowed)}")

    return check


@attrs.frozen(kw_only=True)
class ToolRules:
    """How a run of tools is bounded.

    Attributes:
        rounds_max: answers that the model may give, the last one without calls included.
        calls_max: calls of one answer that are made; further ones are refused.
        concurrency_max: calls that run at once.
        call_s: seconds that one call may take, from when it begins to run.
        result_bytes_max: a result's size as text in UTF-8; a larger one is an error, not cut.
        on_error: ``tell`` the model about a call without result, or ``raise`` it.
        tell: what the model is told of an exception of a tool; `ToolError` is told in full.
    """

    rounds_max: int = attrs.field(default=8, validator=_whole)
    calls_max: int = attrs.field(default=16, validator=_whole)
    concurrency_max: int = attrs.field(default=8, validator=_whole)
    call_s: float = attrs.field(default=30.0, validator=_above_zero)
    result_bytes_max: int = attrs.field(default=64 * 1024, validator=_whole)
    on_error: ErrorRule = attrs.field(default="tell", validator=_one_of("tell", "raise"))
    tell: TellRule = attrs.field(default="type", validator=_one_of("type", "message"))
