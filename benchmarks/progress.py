"""How far a run of the benchmarks is: which row, how many of how many runs, about how long yet."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

import attrs

from benchmarks.processes import lanes
from benchmarks.questions import Comparison
from benchmarks.trial import Trial

START_S = 1.5
"""What a run of a comparison takes beside its plan's times: two processes start and end."""


@attrs.frozen
class Expected:
    """The runs of one question: how many, and about how long each takes, in seconds."""

    runs: int
    run_s: float


def expected(question: Comparison | Trial, repetitions: int) -> Expected:
    """Return how many runs a question takes, unless a client fails.

    Args:
        question: What is asked.
        repetitions: How often, at most.
    """
    rounds = min(repetitions, question.repetitions_max)
    if isinstance(question, Trial):
        return Expected(rounds, question.run_s)
    onlookers = question.onlookers * min(rounds, question.onlooker_repetitions)
    contenders = question.contenders() * rounds + onlookers
    plans = [question.plan_of(each) for each in contenders]
    took_s = sum(plan.settle_s + plan.window_s + START_S for plan in plans)
    at_once = len(lanes()) if question.is_paired else 1
    return Expected(len(plans), took_s / len(plans) / at_once)


def together(trials: Sequence[Trial], repetitions: int) -> Expected:
    """Return how many runs some trials take that run at once, as if they were one question.

    Args:
        trials: What is asked; may be none.
        repetitions: How often, at most.
    """
    each = [expected(trial, repetitions) for trial in trials]
    runs, cores = sum(one.runs for one in each), len(os.sched_getaffinity(0))
    took_s = [one.runs * one.run_s for one in each]
    return Expected(runs, max(*took_s, sum(took_s) / cores) / runs if runs else 0.0)


class Progress:
    """Counts runs, and puts their number and the time left before each line.

    Args:
        questions: What is asked, in its order; `begin` starts the first and each next one.
        write: Takes one line.
        now_s: The clock, in seconds.
    """

    def __init__(
        self,
        questions: Sequence[Expected],
        write: Callable[[str], None],
        now_s: Callable[[], float],
    ) -> None:
        self._questions = list(questions)
        self._write = write
        self._now_s = now_s
        self._place = -1
        self._done = 0
        self._began_s = 0.0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start the first question or the next one, however many runs the last one took."""
        self._place += 1
        self._done = 0
        self._began_s = self._now_s()

    def __call__(self, line: str) -> None:
        """Count a run, and write what is known of it; also from several threads."""
        with self._lock:
            self._done += 1
            before = sum(each.runs for each in self._questions[: self._place])
            total = sum(each.runs for each in self._questions)
            count = f"{before + self._done}/{total}"
            self._write(f"[{count}, {_show(self._left_s())} left]  {_shorter(line)}")

    def _left_s(self) -> float:
        """The rest of this question at the pace of its runs so far, and the others as expected."""
        this, *others = self._questions[self._place :]
        pace_s = (self._now_s() - self._began_s) / self._done
        rest_s = max(0, this.runs - self._done) * pace_s
        return rest_s + sum(each.runs * each.run_s for each in others)


def _shorter(line: str) -> str:
    """The line with the first and the last of the rows that it begins with."""
    rows, gap, rest = line.partition("  ")
    first, *others = rows.split("/")
    return f"{first}/…/{others[-1]}{gap}{rest}" if len(others) > 1 and gap else line


def _show(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"
