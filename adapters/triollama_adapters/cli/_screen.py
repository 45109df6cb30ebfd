"""The terminal of a conversation: answers on stdout, everything else on stderr."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Final

__all__ = ["Screen", "without_controls"]

PROMPT: Final = ">>> "

_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"

# All C0 and C1 control characters and DEL but the tab and the line feed: a model's text must not
# move the cursor, rename the window or write to the clipboard.
_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A})


def without_controls(text: str) -> str:
    """The text without the characters that command a terminal."""
    return text.translate(_CONTROLS)


class Screen:
    """Writes a conversation.

    Args:
        stdout: takes the answers only.
        stderr: takes prompts, thoughts and notes.
        is_interactive: a person types, so a prompt is shown.
        environment: ``NO_COLOR`` in it, not empty, keeps colours away.
    """

    def __init__(
        self,
        stdout: IO[str],
        stderr: IO[str],
        *,
        is_interactive: bool,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._is_interactive = is_interactive
        self._is_clean = stdout.isatty()
        self._has_colour = stderr.isatty() and not environment.get("NO_COLOR")
        self._is_thinking = False
        self._is_line_open = False

    def prompt(self) -> None:
        """Ask for the next question."""
        if self._is_interactive:
            self._write(self._stderr, PROMPT)

    def leave_prompt(self) -> None:
        """End the line of a prompt that gets no question, so that the shell's own has its line."""
        if self._is_interactive:
            self._write(self._stderr, "\n")

    def note(self, text: str) -> None:
        """Say something that is not the model's."""
        self._write(self._stderr, self._dim(text))

    def think(self, text: str) -> None:
        """Show a piece of the model's thoughts."""
        self._is_thinking = True
        self._write(self._stderr, self._dim(without_controls(text)))

    def answer(self, text: str) -> None:
        """Show a piece of the answer; what goes into a file goes there unchanged."""
        if self._is_thinking:
            self._is_thinking = False
            self._write(self._stderr, "\n\n")
        self._is_line_open = not text.endswith("\n")
        self._write(self._stdout, without_controls(text) if self._is_clean else text)

    def end_answer(self, *, stopped: bool = False) -> None:
        """End the answer's last line, if it is open."""
        if self._is_line_open:
            self._write(self._stdout, "\n")
        elif self._is_thinking:
            self._write(self._stderr, "\n")
        self._is_line_open = self._is_thinking = False
        if stopped:
            self.note("(stopped)\n")

    def _dim(self, text: str) -> str:
        return f"{_DIM}{text}{_PLAIN}" if self._has_colour else text

    @staticmethod
    def _write(stream: IO[str], text: str) -> None:
        stream.write(text)
        stream.flush()
