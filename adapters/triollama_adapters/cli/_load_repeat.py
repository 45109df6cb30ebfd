"""The command that a report shows, so that a run can be repeated; without secrets. No IO."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final

from triollama_adapters.cli._access import header_name

__all__ = ["ARGUMENTS", "command_line"]

ARGUMENTS: Final[ContextVar[tuple[str, ...]]] = ContextVar("arguments", default=())
"""What follows the program's name, as it was given."""

VEILED: Final = "--header"
"""Whose values are not shown."""

HIDDEN: Final = "..."


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as a shell takes it.

    Args:
        arguments: what follows the program's name; None: those of this program.
    """
    words = ["triollama"]
    is_secret = False
    for word in ARGUMENTS.get() if arguments is None else arguments:
        if is_secret:
            words.append(_hide(word))
        elif word.startswith(f"{VEILED}="):
            words.append(f"{VEILED}={_hide(word.removeprefix(f'{VEILED}='))}")
        else:
            words.append(word)
        is_secret = word == VEILED
    return shlex.join(words)


def _hide(pair: str) -> str:
    """A header without its value."""
    name = header_name(pair)
    return f"{name}: {HIDDEN}" if name else HIDDEN
