"""What crosses from a trial's process to the harness."""

import math

import msgspec
import pytest
from benchmarks.processes import RunError, run_to_end
from benchmarks.trial import Finding, Trial, TrialRow, ask

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
        run_to_end("x", "this", [], prints=Finding, deadline_s=10.0, core=None)
