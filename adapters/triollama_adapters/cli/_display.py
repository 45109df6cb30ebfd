"""What a user sees of a run on stderr: progress while it runs, a table at its end.

On a terminal a bar that is drawn over itself; elsewhere one plain line now and then, fit for a log.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import IO, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task
from rich.table import Column
from rich.text import Text

from triollama_adapters.cli._console import PlainConsole
from triollama_adapters.cli._tally import Snapshot, Summary
from triollama_adapters.words import clock, one_line

__all__ = ["Display", "describe", "open_display", "show_summary"]

BAR_EVERY_S: Final = 0.1
"""Ten pictures a second look alive and cost about 1 % of a core."""

LINE_EVERY_S: Final = 2.0
"""A log of an hour has 1,800 lines."""


BAR_COLUMNS: Final = 12

SPINNER_COLUMNS: Final = 2
"""Of the spinner and the blank behind it."""

WIDE: Final = 80
"""Columns of a terminal from which on a bar has room beside the numbers."""

_BETWEEN: Final = ", "


class Display(Protocol):
    """Shows snapshots of a run."""

    every_s: float
    """How often it wants one, in seconds."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the numbers."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


def open_display(stderr: IO[str]) -> Display:
    """The display that suits where stderr goes."""
    console = PlainConsole(stderr)
    return BarDisplay(console) if console.is_terminal else LineDisplay(stderr)


def describe(snapshot: Snapshot, columns: float = math.inf) -> str:
    """The numbers as one line of text, what people look for first.

    Args:
        snapshot: the numbers.
        columns: how long the line may be; those at its end that have no room are left out whole.
    """
    told, *rest = _numbers(snapshot)
    for number in rest:
        if len(told) + len(_BETWEEN) + len(number) > columns:
            break
        told += _BETWEEN + number
    return told


def _numbers(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.share is not None:
        yield f"{snapshot.share:.0%} of the bytes"
    if snapshot.left_s is not None:
        yield f"{clock(snapshot.left_s)} left"
    yield f"{snapshot.done:,} done"
    yield f"{snapshot.errors:,} errors"
    yield f"{snapshot.in_flight:,} in flight"
    yield f"{snapshot.records_per_s:,.1f} records/s"
    yield f"{snapshot.chunks_per_s:,.0f} chunks/s"


class LineDisplay:
    """One line per snapshot."""

    every_s = LINE_EVERY_S

    def __init__(self, stderr: IO[str]) -> None:
        self._stderr = stderr

    def show(self, snapshot: Snapshot) -> None:
        """Write the line."""
        self._stderr.write(f"{clock(snapshot.elapsed_s)} {describe(snapshot)}\n")
        self._stderr.flush()

    def close(self) -> None:
        """Nothing is held."""


class _Numbers(ProgressColumn):
    """The numbers, as one column."""

    told = "starting"

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        """Draw them; rich gives the task, which has none of them."""
        del task
        return Text(self.told)


class BarDisplay:
    """The numbers, drawn over themselves, and a bar before them where it has room."""

    every_s = BAR_EVERY_S

    def __init__(self, console: Console) -> None:
        self._console = console
        self._numbers = _Numbers()
        is_wide = console.width >= WIDE
        bar = [BarColumn(bar_width=BAR_COLUMNS)] if is_wide else []
        self._beside = SPINNER_COLUMNS + (BAR_COLUMNS + 1) * is_wide
        # No thread of rich's own: the program decides when to draw.
        self._progress = Progress(
            SpinnerColumn(),
            *bar,
            self._numbers,
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._bar = self._progress.add_task("run", total=None)
        self._progress.start()

    def show(self, snapshot: Snapshot) -> None:
        """Draw the bar anew."""
        self._numbers.told = describe(snapshot, self._console.width - self._beside)
        if snapshot.share is not None:
            self._progress.update(self._bar, total=1.0, completed=snapshot.share)
        self._progress.refresh()

    def close(self) -> None:
        """Wipe the bar away and show the cursor again."""
        self._progress.stop()


def show_summary(summary: Summary, output: str, stderr: IO[str]) -> None:
    """Print the table of a finished or interrupted run.

    Args:
        summary: its numbers.
        output: where the records went.
        stderr: where to print.
    """
    rows = _rows(summary, output)
    width = 2 + max(len(name) for name, _ in rows)
    console = PlainConsole(stderr)
    for name, value in rows:
        console.print(Text.assemble((name.ljust(width), "dim"), value), soft_wrap=True)


def _rows(summary: Summary, output: str) -> list[tuple[str, str]]:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in summary.error_types.items())
    rows = [
        ("streams complete", f"{summary.complete:,}"),
        ("errors", f"{summary.errors:,}" + (f"  ({kinds})" if kinds else "")),
        ("wall time", f"{summary.wall_s:,.2f} s"),
        ("chunks", f"{summary.chunks:,}  ({summary.chunks_per_s:,.0f} per second)"),
        ("tokens", f"{summary.tokens:,}  (prompts: {summary.prompt_tokens:,})"),
    ]
    if summary.stopped:
        rows.insert(2, ("stopped", f"{summary.stopped:,} unfinished, without a record"))
    if summary.first_error is not None:
        # It may be a server's own text: nothing in it may command the terminal.
        rows.insert(2, ("first error", one_line(summary.first_error)))
    if summary.first_token_ms_p50 is not None and summary.first_token_ms_p99 is not None:
        first = (
            f"p50 {summary.first_token_ms_p50:,.1f} ms, p99 {summary.first_token_ms_p99:,.1f} ms"
        )
        rows.append(("first token", first))
    rows += [(f"from {name}", f"{count:,}") for name, count in summary.endpoints.items()]
    rows.append(("records in", "standard output" if output == "-" else output))
    return rows
