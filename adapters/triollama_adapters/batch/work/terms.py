"""What numbers of a program's may be: each is told by its name, with what it may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from triollama_adapters.batch.errors import ChoiceError

__all__ = ["check_tries", "count", "number"]

Validator = Callable[[Any, Any, Any], None]


def count(what: str, *, is_optional: bool = False) -> Validator:
    """A validator of attrs: a whole number from 1 on.

    Args:
        what: what the number tells, for the message.
        is_optional: whether None will do, too.
    """

    def check(_: Any, attribute: Any, value: Any) -> None:
        if value is None and is_optional:
            return
        if not _is_count(value):
            more = ", or None" if is_optional else ""
            raise ChoiceError(
                f"{attribute.name} is {value!r}; {what} must be a whole number from 1 on{more}"
            )

    return check


def number(
    what: str, told: str, is_good: Callable[[float], bool], *, is_optional: bool = False
) -> Validator:
    """A validator of attrs: a number that is good.

    Args:
        what: what the number tells, for the message.
        told: what is good, for the message.
        is_good: whether a number is; never asked of one that is none.
        is_optional: whether None will do, too.
    """

    def check(_: Any, attribute: Any, value: Any) -> None:
        if value is None and is_optional:
            return
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or math.isnan(value) or not is_good(value):
            more = ", or None" if is_optional else ""
            raise ChoiceError(f"{attribute.name} is {value!r}; {what} must be {told}{more}")

    return check


def check_tries(tries: int) -> None:
    """See that a row can be asked so often.

    Raises:
        ChoiceError: it cannot.
    """
    if not _is_count(tries):
        raise ChoiceError(f"tries is {tries!r}; a row is asked a whole number of times, from 1 on")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
