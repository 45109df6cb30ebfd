"""A load test while it runs: shown on a terminal or in a log, and ended by Ctrl-C."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, Protocol

from triollama_adapters.cli._live import open_console
from triollama_adapters.cli._load_picture import Style, make_line, make_picture
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.report.words import describe_load, describe_targets
from triollama_adapters.loadtest.running.progress import Progress, Stage
from triollama_adapters.words import clock

__all__ = ["Sight", "open_sight", "title_of"]

LINE_EVERY_S: Final = 5.0
"""Of a log of one run."""

STEP_LINE_EVERY_S: Final = 20.0
"""Of a log of a search, which says after each run what it found."""

LINE_FROM_S: Final = 0.75
"""Before that nothing is worth a line."""

BEGUN: Final = Progress(at_s=0.0, stage="before", until_s=0.0)


class Sight(Protocol):
    """Shows how far a run is."""

    def show(self, progress: Progress) -> None:
        """Show it; does not wait."""


def title_of(plan: Plan) -> str:
    """What a run is called: ``llama3.2 on 2 endpoints: 20/s, Poisson, for 60 s``."""
    return f"{describe_targets(plan)}: {describe_load(plan)}"


@contextmanager
def open_sight(plan: Plan, stderr: IO[str], *, prefix: str = "") -> Iterator[Sight]:
    """Where a run is shown: drawn on a terminal until it is over, else a line now and then.

    Args:
        plan: of the run.
        stderr: where it goes.
        prefix: before its title: which run of a search it is; empty for a run by itself.
    """
    title = prefix + title_of(plan)
    console = open_console(stderr)
    if not console.is_terminal:
        yield _Lines(stderr, title, is_step=bool(prefix))
        return
    drawn = _Drawn(stderr, title, plan, has_colour=not console.no_color)
    try:
        yield drawn
    finally:
        drawn.wipe()


class _Drawn:
    """Draws over itself, by hand: rich needs 1 ms for it, in which no chunk would be stamped."""

    def __init__(self, out: IO[str], title: str, plan: Plan, *, has_colour: bool) -> None:
        self._out = out
        self._title = title
        self._codes = _CODES if has_colour else {}
        self._height = 0
        end_s = plan.warm_up_s + plan.duration_s
        self._stages = (plan.warm_up_s, end_s, end_s + plan.drain_s)
        self.show(BEGUN)

    def show(self, progress: Progress) -> None:
        size = shutil.get_terminal_size()
        lines = make_picture(progress, self._title, size.columns - 1, stages=self._stages)
        lines = lines[: max(1, size.lines - 1)]
        drawn = "".join(f"{self._codes.get(style, '')}{line}{_END}\n" for line, style in lines)
        self._out.write(self._back() + drawn)
        self._out.flush()
        self._height = len(lines)

    def wipe(self) -> None:
        """Leave nothing of it."""
        self._out.write(self._back())
        self._out.flush()
        self._height = 0

    def _back(self) -> str:
        """To where it began, with nothing below."""
        return f"\x1b[{self._height}A\r\x1b[J" if self._height else ""


_CODES: Final[dict[Style, str]] = {"bold": "\x1b[1m", "dim": "\x1b[2m", "red": "\x1b[31m"}
_END: Final = "\x1b[0m"


class _Lines:
    """A line when a run begins, when a stage of a run by itself does, and now and then."""

    def __init__(self, out: IO[str], title: str, *, is_step: bool) -> None:
        self._out = out
        self._stage: Stage = "before"
        self._every_s = STEP_LINE_EVERY_S if is_step else LINE_EVERY_S
        self._next_s = self._every_s
        self._is_step = is_step
        self._write(title)

    def show(self, progress: Progress) -> None:
        if progress.stage in ("before", "over") or progress.at_s < LINE_FROM_S:
            return
        is_new = progress.stage != self._stage and not self._is_step
        if not is_new and progress.at_s < self._next_s:
            return
        self._stage = progress.stage
        self._next_s = progress.at_s + self._every_s
        self._write(f"{clock(max(0.0, progress.at_s))}  {make_line(progress)}")

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()
