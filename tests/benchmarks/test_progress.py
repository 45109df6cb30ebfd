"""How far a run is."""

import os

import pytest
from benchmarks.figures import Bar
from benchmarks.harness import Contender
from benchmarks.plan import Plan
from benchmarks.progress import Expected, Progress, expected, together
from benchmarks.questions import Absolute, Comparison, Row
from benchmarks.trial import Trial, TrialRow

A, B, C = (Contender(name, "chunks") for name in "abc")


def test_runs_are_counted_as_they_are_made() -> None:
    """Contenders run in every round, onlookers in the first ones, and no more than allowed."""
    row = Row("row", "what", A, B, "x", None)
    comparison = Comparison(
        Plan(settle_s=1.0, window_s=2.0),
        (row,),
        Absolute(lambda run: 1.0, "µs"),
        onlookers=(C,),
        onlooker_repetitions=2,
    )
    assert expected(comparison, 5) == Expected(runs=12, run_s=4.5)
    trial = Trial("t", (TrialRow("r", "what", "f", "s", Bar(1.0)),), repetitions_max=3, run_s=7.0)
    assert expected(trial, 5) == Expected(runs=3, run_s=7.0)


def test_time_left_follows_the_pace() -> None:
    """This question goes on at its own pace, the others as expected, also if runs are left out."""
    lines: list[str] = []
    now = [0.0]
    progress = Progress([Expected(3, 1.0), Expected(2, 30.0)], lines.append, lambda: now[0])
    progress.begin()
    now[0] = 10.0
    progress("a/b/c  one")
    progress.begin()
    now[0] = 50.0
    progress("two")
    assert lines == ["[1/5, 1:20 left]  a/…/c  one", "[4/5, 0:40 left]  two"]


def test_trials_at_once_take_as_long_as_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or as all of them share the cores; none take no time."""
    row = TrialRow("t", "what", "f", "s", Bar(1.0))
    trials = [Trial("t", (row,), repetitions_max=1, run_s=seconds) for seconds in (40.0, 10.0, 6.0)]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    assert together(trials, 5) == Expected(3, 40.0 / 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert together(trials, 5) == Expected(3, 56.0 / 3)
    assert together([], 5) == Expected(0, 0.0)
