"""rich's console, as every command uses it."""

from __future__ import annotations

import errno
import os
from typing import IO, NoReturn

from rich.console import Console

__all__ = ["PlainConsole"]


class PlainConsole(Console):
    """A console that colours no numbers, and leaves it to the program how it ends.

    Args:
        out: where it writes; None: standard output, as it is at each write.
        width: columns; None: those of the terminal.
    """

    def __init__(self, out: IO[str] | None = None, *, width: int | None = None) -> None:
        super().__init__(file=out, width=width, highlight=False)

    def on_broken_pipe(self) -> NoReturn:
        """Say that the reader has left, as any other write does; rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
