"""Something that is shown again and again: drawn over itself on a terminal, else line by line.

Owns the terminal while it is open, and leaves on it what was shown last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from triollama_adapters.cli._console import PlainConsole

__all__ = ["Picture", "open_console", "open_picture"]

DRAW_EVERY_S: Final = 0.25
"""Often enough to see numbers move, rarely enough to read them."""

LINE_EVERY_S: Final = 1.0
"""Fit for a log: what happened when can still be told."""

WIDTH_MAX: Final = 1_000
"""Columns of a table that goes to a file or a pipe, where nothing is cut off to fit a screen."""


class Picture(Protocol):
    """Shows the same thing as it changes."""

    every_s: float
    """How often it wants to be shown, in seconds."""

    @property
    def width(self) -> int:
        """How many columns what is drawn may have."""

    @property
    def height(self) -> int:
        """How many lines what is drawn may have."""

    def show(self, drawn: RenderableType, said: str) -> None:
        """Show it as it is now.

        Args:
            drawn: what a terminal gets.
            said: the one line that other outputs get.
        """


def open_console(out: IO[str]) -> Console:
    """A console that cuts off nothing where there is no screen."""
    console = PlainConsole(out)
    return console if console.is_terminal else PlainConsole(out, width=WIDTH_MAX)


@contextmanager
def open_picture(out: IO[str], *, is_transient: bool = False) -> Iterator[Picture]:
    """A picture that suits where the output goes.

    Args:
        out: where it goes.
        is_transient: whether a terminal is left without it.
    """
    console = open_console(out)
    if not console.is_terminal:
        yield _Lines(out)
        return
    # No thread of rich's own: the program decides when to draw.
    with Live(console=console, auto_refresh=False, transient=is_transient) as live:
        yield _Drawn(live)


class _Drawn:
    every_s = DRAW_EVERY_S

    def __init__(self, live: Live) -> None:
        self._live = live

    @property
    def width(self) -> int:
        return self._live.console.width

    @property
    def height(self) -> int:
        return self._live.console.height

    def show(self, drawn: RenderableType, said: str) -> None:
        del said
        self._live.update(drawn, refresh=True)


class _Lines:
    every_s = LINE_EVERY_S
    width = WIDTH_MAX
    height = WIDTH_MAX

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._began_s = time.monotonic()

    def show(self, drawn: RenderableType, said: str) -> None:
        del drawn
        self._out.write(f"{time.monotonic() - self._began_s:5.1f} s  {said}\n")
        self._out.flush()
