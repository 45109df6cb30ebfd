"""Where a batch job's figures are shown while it runs: a terminal, a log, or JSON for programs.

Each takes the same figures. What is written as JSON is one object per line on standard output, with
``event`` as its first key: ``begun``, ``progress``, ``error`` and ``ended``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final, Protocol

import msgspec

from triollama_adapters.batch.figures.snapshot import Lately, Snapshot
from triollama_adapters.cli._batch_line import COLUMNS_MAX, make_line
from triollama_adapters.cli._batch_picture import make_picture
from triollama_adapters.cli._live import Picture, open_console, open_picture
from triollama_adapters.words import clock, cut, plain

__all__ = ["ERRORS_MAX", "Events", "Sight", "open_sight"]

LINE_EVERY_S: Final = 5.0
"""A log of a night has some thousand lines."""

LINE_FROM_S: Final = 1.0
"""Before that nothing is worth a line."""

EVENT_EVERY_S: Final = 2.0

ERRORS_MAX: Final = 100
"""Events of errors between two of progress, which counts them all: a job whose rows all fail at
once must not wait for who reads about it."""


class Sight(Protocol):
    """Shows figures."""

    every_s: float
    """How often it wants to show them, in seconds."""

    def show(self, shot: Snapshot) -> None:
        """Show them."""

    def finish(self, shot: Snapshot) -> None:
        """Show the last figures of a run, once, if that is what a screen is left with."""

    def tell(self, errors: Sequence[Lately], shot_s: float) -> None:
        """Tell of rows that failed, as they come.

        Args:
            errors: one entry per row.
            shot_s: for how long the job has run.
        """


@contextmanager
def open_sight(title: str, stderr: IO[str]) -> Iterator[Sight]:
    """What people see: drawn on a terminal until it is closed, else line by line.

    Args:
        title: what the job is called.
        stderr: where it goes.
    """
    if not open_console(stderr).is_terminal:
        yield _Lines(stderr)
        return
    with open_picture(stderr, is_transient=True) as picture:
        yield _Drawn(picture, title)


class _Drawn:
    def __init__(self, picture: Picture, title: str) -> None:
        self._picture = picture
        self._title = title
        self.every_s = picture.every_s

    def show(self, shot: Snapshot) -> None:
        picture = self._picture
        picture.show(make_picture(shot, self._title, picture.width, picture.height), "")

    def finish(self, shot: Snapshot) -> None:
        """A bar that ends where the job did."""
        self.show(shot)

    def tell(self, errors: Sequence[Lately], shot_s: float) -> None:
        """They are in the picture."""


class _Lines:
    every_s = LINE_EVERY_S

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._told: set[str] = set()

    def show(self, shot: Snapshot) -> None:
        if shot.ran_s >= LINE_FROM_S:
            self._write(make_line(shot))

    def finish(self, shot: Snapshot) -> None:
        """The summary follows."""

    def tell(self, errors: Sequence[Lately], shot_s: float) -> None:
        """Each kind once."""
        for each in errors:
            if each.kind not in self._told:
                self._told.add(each.kind)
                told = f"{clock(shot_s)}  first {plain(each.kind)}: {plain(each.message)}"
                self._write(cut(told, COLUMNS_MAX))

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


class Events:
    """JSON for programs.

    Args:
        out: standard output.
        output: where the answers are.
    """

    every_s = EVENT_EVERY_S

    def __init__(self, out: IO[str], output: str) -> None:
        self._out = out
        self._output = output
        self._is_begun = False
        self._errors = 0

    def show(self, shot: Snapshot) -> None:
        """``begun`` at the first time, then ``progress``."""
        self._errors = 0
        self._write("progress" if self._is_begun else "begun", shot)
        self._is_begun = True

    def finish(self, shot: Snapshot) -> None:
        """`end` follows."""

    def tell(self, errors: Sequence[Lately], shot_s: float) -> None:
        """``error``, one per row."""
        del shot_s
        room = ERRORS_MAX - self._errors
        self._errors += len(errors)
        for each in errors[: max(0, room)]:
            self._write_object({"event": "error", "kind": each.kind, "message": each.message})

    def end(self, shot: Snapshot, code: int) -> None:
        """``ended``, with the exit code."""
        self._write("ended", shot, {"exit_code": code})

    def _write(self, event: str, shot: Snapshot, more: dict[str, object] | None = None) -> None:
        head = {"event": event, "output": self._output, **(more or {})}
        self._write_object(head | msgspec.to_builtins(shot))

    def _write_object(self, told: dict[str, object]) -> None:
        self._out.write(msgspec.json.encode(told).decode() + "\n")
        self._out.flush()
