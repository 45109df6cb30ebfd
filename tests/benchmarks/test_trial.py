"""What crosses from a trial's process to the harness."""

import math
import os
import threading
from typing import Any

import msgspec
import pytest
from benchmarks.processes import RunError, run_to_end
from benchmarks.trial import Finding, Trial, TrialRow, ask, ask_together

from benchmarks import trial


def test_a_figure_that_could_not_be_measured_is_left_out() -> None:
    """Neither NaN nor infinity is JSON: what is read again has the other figures alone."""
    finding = Finding({"a": math.nan, "b": math.inf, "c": 1.0}, ("why",))
    read = msgspec.json.decode(finding.encode(), type=Finding)
    assert read == Finding({"c": 1.0}, ("why",))
    assert math.isnan(read.figure("a"))


def test_a_row_is_of_the_runs_that_could_measure_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repetition without the figure is told as NaN, and moves no median."""
    found = {1: {"a": 2.0}, 2: {}, 3: {"a": 4.0}}
    monkeypatch.setattr(trial, "run_trial", lambda each, seed: Finding(found[seed]))
    (outcome,), _ = ask(Trial("t", (TrialRow("r", "what", "a", "s", None),)), 3, lambda line: None)
    assert outcome.spread is not None
    assert outcome.spread.median == 3.0


@pytest.mark.slow
def test_a_process_that_prints_something_else_is_told() -> None:
    """Its output is an error of that run, and not of the harness."""
    with pytest.raises(RunError, match="x printed something else"):
        run_to_end("x", "this", [], prints=Finding, deadline_s=10.0, cores=())


def a_trial(name: str, **options: Any) -> Trial:
    """A trial of one row."""
    return Trial(name, (TrialRow(name, "what", "a", "s", None),), **options)


def test_the_full_way_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that has one is given the time for it; the others are only run more often."""
    short = a_trial("s", repetitions_max=2).longer(3)
    assert (short.repetitions_max, short.is_full) == (6, False)
    long = a_trial("l", deadline_s=10.0, run_s=1.0, full_s=100.0).longer(3)
    assert (long.repetitions_max, long.run_s, long.is_full) == (1, 100.0, True)
    assert long.deadline_s > 200
    given: list[list[str]] = []

    def run_to_end(_name: str, _module: str, arguments: list[str], **_options: object) -> Finding:
        given.append(arguments)
        return Finding({})

    monkeypatch.setattr(trial, "run_to_end", run_to_end)
    trial.run_trial(short, 1)
    trial.run_trial(long, 1)
    assert ["--full" in each for each in given] == [False, True]


def test_timeless_trials_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own outcome, in the order in which they were given, the longest begins first."""
    began: list[str] = []
    both = threading.Barrier(2, timeout=5)

    def run_trial(each: Trial, seed: int) -> Finding:
        began.append(each.name)
        both.wait()
        return Finding({"a": each.run_s + seed})

    monkeypatch.setattr(trial, "run_trial", run_trial)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    trials = [a_trial("quick", run_s=1.0, repetitions_max=1), a_trial("slow", run_s=9.0)]
    asked = ask_together(trials, 1, lambda line: None)
    assert [outcomes[0].values for outcomes, _ in asked] == [(2.0,), (10.0,)]
    assert began[0] == "slow"
    assert ask_together([], 1, lambda line: None) == []
