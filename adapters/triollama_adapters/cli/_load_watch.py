"""A load test while it runs: shown on a terminal or in a log, and ended by Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, Protocol

from triollama_adapters.cli._live import Picture, open_console, open_picture
from triollama_adapters.cli._load_picture import make_line, make_picture
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.report.words import describe_load, describe_targets
from triollama_adapters.loadtest.running.progress import Progress, Stage
from triollama_adapters.words import clock

__all__ = ["Sight", "open_sight", "title_of"]

LINE_EVERY_S: Final = 5.0
"""Of a log of one run."""

STEP_LINE_EVERY_S: Final = 20.0
"""Of a log of a search, which says after each run what it found."""

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
    if not open_console(stderr).is_terminal:
        yield _Lines(stderr, title, is_step=bool(prefix))
        return
    with open_picture(stderr, is_transient=True) as picture:
        yield _Drawn(picture, title, plan)


class _Drawn:
    def __init__(self, picture: Picture, title: str, plan: Plan) -> None:
        self._picture = picture
        self._title = title
        end_s = plan.warm_up_s + plan.duration_s
        self._stages = (plan.warm_up_s, end_s, end_s + plan.drain_s)
        self.show(BEGUN)

    def show(self, progress: Progress) -> None:
        drawn = make_picture(progress, self._title, self._picture.width, stages=self._stages)
        self._picture.show(drawn, "")


class _Lines:
    """A line when a stage of a run by itself begins, and now and then."""

    def __init__(self, out: IO[str], title: str, *, is_step: bool) -> None:
        self._out = out
        self._stage: Stage = "before"
        self._every_s = STEP_LINE_EVERY_S if is_step else LINE_EVERY_S
        self._next_s = self._every_s
        self._is_step = is_step
        if not is_step:
            self._write(title)

    def show(self, progress: Progress) -> None:
        is_new = progress.stage != self._stage and not self._is_step
        self._stage = progress.stage
        if progress.stage in ("before", "over"):
            return
        if not (is_new and progress.scheduled) and progress.at_s < self._next_s:
            return
        self._next_s = progress.at_s + self._every_s
        self._write(f"{clock(max(0.0, progress.at_s))}  {make_line(progress)}")

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()
