"""How far a run is."""

from benchmarks.figures import Bar
from benchmarks.harness import Contender
from benchmarks.plan import Plan
from benchmarks.progress import Expected, Progress, expected
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
