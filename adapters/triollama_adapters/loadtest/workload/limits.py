"""What one value of a plan may be; each function names the field where it is not that. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from triollama_adapters.loadtest.errors import PlanError

__all__ = ["choice", "fail", "number", "share", "text", "whole"]


def number(
    value: Any,
    field: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float = math.inf,
    unit: str = "",
) -> None:
    """See that a value is a finite number within bounds.

    Raises:
        PlanError: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (
        not is_number
        or not math.isfinite(value)
        or value > most
        or (least is not None and value < least)
        or (above is not None and value <= above)
    ):
        what = f"a number of {unit}" if unit else "a number"
        raise fail(value, field, what + _bounds(least, above, most))


def whole(value: Any, field: str, *, least: int | None = None, most: float = math.inf) -> None:
    """See that a value is a whole number within bounds.

    Raises:
        PlanError: it is not.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value > most or (least is not None and value < least):
        raise fail(value, field, "a whole number" + _bounds(least, None, most))


def share(value: Any, field: str, *, is_open: bool = False) -> None:
    """See that a value is a share; with `is_open`, neither 0 nor 1.

    Raises:
        PlanError: it is not.
    """
    number(value, field, least=0.0, most=1.0)
    if is_open and value in {0.0, 1.0}:
        raise fail(value, field, "a number above 0 and below 1")


def text(value: Any, field: str, what: str) -> None:
    """See that a value is a text with something in it.

    Raises:
        PlanError: it is not.
    """
    if not isinstance(value, str) or not value.strip():
        raise PlanError(f"{field} is empty; it is {what}", field=field)


def choice(value: Any, field: str, allowed: Sequence[str]) -> None:
    """See that a value is one of some words.

    Raises:
        PlanError: it is not.
    """
    if value not in allowed:
        raise fail(value, field, "one of " + ", ".join(allowed))


def fail(value: Any, field: str, what: str) -> PlanError:
    """The error for a value that is not what it may be."""
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    return PlanError(f"{field} is {shown}; it is {what}", field=field)


def _bounds(least: float | None, above: float | None, most: float) -> str:
    low = ""
    if least is not None:
        low = f" from {_told(least)}"
    elif above is not None:
        low = f" above {_told(above)}"
    if math.isinf(most):
        return f"{low} on" if least is not None else low
    return f"{low}, at most {_told(most)}" if least is None else f"{low} to {_told(most)}"


def _told(bound: float) -> str:
    return f"{bound:,.15g}"
