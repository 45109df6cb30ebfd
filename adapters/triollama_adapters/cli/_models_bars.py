"""What a user sees of a pull, push or create while it runs: a bar per server, or lines of a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from triollama import TransferEvent
from triollama_adapters.cli._console import PlainConsole
from triollama_adapters.cli._models_words import describe_event
from triollama_adapters.words import plain

__all__ = ["Bars", "open_bars"]

DRAW_EVERY_S: Final = 0.1
"""Ten pictures a second look alive and cost about 1 % of a core."""

LINE_EVERY_S: Final = 5.0
"""Between two lines about the same layer: a log of an hour has 720."""

BAR_COLUMNS: Final = 16

WIDE: Final = 80
"""Columns from which on a bar has room beside the words."""

Show = Callable[[TransferEvent], None]


@contextmanager
def open_bars(stderr: IO[str]) -> Iterator[Show]:
    """What suits where stderr goes; gives what is to be called with each event.

    Leaving it leaves the terminal as it was found.
    """
    console = PlainConsole(stderr)
    if not console.is_terminal:
        yield _Lines(stderr).show
        return
    bars = Bars(console)
    try:
        yield bars.show
    finally:
        bars.close()


class _Words(ProgressColumn):
    """What is being done, as far as it has room."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        """Draw it."""
        return Text(task.fields["told"])


class Bars:
    """A bar per server with the layer that it is at.

    Args:
        console: where it is drawn.
        now_s: a clock in seconds.
    """

    def __init__(self, console: Console, now_s: Callable[[], float] = time.monotonic) -> None:
        bar = [BarColumn(bar_width=BAR_COLUMNS)] if console.width >= WIDE else []
        # No thread of rich's own: it is drawn when something happened.
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            *bar,
            _Words(),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}
        self._now_s = now_s
        self._drawn_s = -DRAW_EVERY_S
        self._progress.start()

    def show(self, event: TransferEvent) -> None:
        """Something happened."""
        bar = self._bars.get(event.endpoint)
        if bar is None:
            bar = self._bars[event.endpoint] = self._progress.add_task(
                plain(event.endpoint), total=None, told=""
            )
        share = 1.0 if event.phase == "done" else event.share
        self._progress.update(
            bar,
            total=None if share is None else 1.0,
            completed=share or 0.0,
            told=describe_event(event),
        )
        now_s = self._now_s()
        if now_s - self._drawn_s >= DRAW_EVERY_S or event.phase == "done":
            self._drawn_s = now_s
            self._progress.refresh()

    def close(self) -> None:
        """Wipe the bars away and show the cursor again."""
        self._progress.stop()


class _Lines:
    """One line per step, and now and then one about a step that takes long.

    Args:
        stderr: where they go.
        now_s: a clock in seconds.
    """

    def __init__(self, stderr: IO[str], now_s: Callable[[], float] = time.monotonic) -> None:
        self._stderr = stderr
        self._now_s = now_s
        self._told: dict[str, tuple[str, float]] = {}

    def show(self, event: TransferEvent) -> None:
        """Something happened."""
        now_s = self._now_s()
        status, told_s = self._told.get(event.endpoint, ("", 0.0))
        if event.status == status and now_s - told_s < LINE_EVERY_S:
            return
        self._told[event.endpoint] = event.status, now_s
        self._stderr.write(f"{plain(event.endpoint)}: {describe_event(event)}\n")
        self._stderr.flush()
