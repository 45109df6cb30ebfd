"""The one check that numbers of the configuration need: finite, and within a range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from attrs import Attribute

from triollama._errors import ConfigError

__all__ = ["Validator", "within"]

Validator = Callable[[Any, "Attribute[Any]", Any], None]


def within(low: float, high: float = math.inf) -> Validator:
    """Make a validator: a finite number in [low, high]; None passes, where the type has it."""

    def check(_instance: Any, attribute: Attribute[Any], value: Any) -> None:
        if value is None:
            return
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not (good and math.isfinite(value) and low <= value <= high):
            limit = "" if high == math.inf else f" and at most {high:g}"
            raise ConfigError(
                f"{attribute.name} must be a number of at least {low:g}{limit}, not {value!r}"
            )

    return check
