"""Words of ``triollama load``'s options as numbers; an error names the option. No IO."""

from __future__ import annotations

from typing import Final

from triollama_adapters.cli._failures import CliError
from triollama_adapters.loadtest.arrivals.words import parse_duration

__all__ = ["duration_s", "share"]

PERCENT: Final = 100.0


def duration_s(option: str, text: str, *, may_be_zero: bool = False) -> float:
    """A duration such as ``60s`` or ``5m`` in seconds.

    Args:
        option: which option it is of.
        text: as the user wrote it.
        may_be_zero: whether none at all is one, too.

    Raises:
        PlanError: it is none; the message has the grammar.
        CliError: it is 0, and must not be.
    """
    seconds = parse_duration(text, field=option)
    if not seconds and not may_be_zero:
        raise CliError(f"{option} must be more than 0")
    return seconds


def share(option: str, text: str) -> float:
    """A share such as ``5%`` or ``0.05``, within [0, 1].

    Args:
        option: which option it is of.
        text: as the user wrote it.

    Raises:
        CliError: it is none.
    """
    number = text.strip()
    scale = PERCENT if number.endswith("%") else 1.0
    try:
        value = float(number.removesuffix("%")) / scale
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise CliError(f"{option} takes a share within 0 and 1, such as 5% or 0.05, not {text!r}")
    return value
