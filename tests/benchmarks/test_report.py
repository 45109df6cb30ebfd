"""The results file, written and read again."""

import math
from pathlib import Path
from typing import Any

import pytest
from benchmarks.document import read
from benchmarks.figures import Bar, Spread, Verdict
from benchmarks.harness import Contender
from benchmarks.questions import Row
from benchmarks.report import machine, write
from benchmarks.result import Outcome
from benchmarks.trial import Finding, TrialRow

A, B = Contender("a", "chunks"), Contender("b", "chunks")


def outcome(row: Any, spread: Spread | None, verdict: Verdict = Verdict.PASS) -> Outcome:
    """A row's result with nothing beside it."""
    return Outcome(row, spread, verdict, absolute={}, notes=("a note",))


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """Rows keep their figures, those of single repetitions too, their bars and their notes."""
    ratio = Row("ratio", "what", A, B, "x", Bar(2.0, is_at_least=True), lambda run, by: run / by)
    trial = TrialRow("trial", "what", "figure", "ms", None)
    asked: list[Any] = [
        ([outcome(ratio, Spread(3.0, 2.0, 4.0))], {"a.chunks": [2.0, 8.0], "b.chunks": [1.0, 2.0]}),
        ([outcome(trial, Spread(5.0, 5.0, 5.0))], {"t": [Finding({"figure": 5.0}), Finding({})]}),
    ]
    write(tmp_path / "deep" / "results.json", machine(), asked)
    document = read(tmp_path / "deep" / "results.json")
    first, second = document.rows
    assert (first.values, first.median, first.against) == ((2.0, 4.0), 3.0, "b.chunks")
    assert first.is_more_better
    assert second.repetitions == [5.0]
    assert second.notes == ("a note",)
    assert document.machine["python"].startswith("CPython")


@pytest.mark.parametrize("spread", [None, Spread(math.nan, math.nan, math.nan)])
def test_a_row_without_a_figure_is_written_as_such(tmp_path: Path, spread: Spread | None) -> None:
    """A client that failed and a figure that could not be measured leave no number behind."""
    failed = outcome(Row("r", "what", A, B, "x", None, lambda run, by: run / by), spread)
    write(tmp_path / "results.json", machine(), [([failed], {"a.chunks": [], "b.chunks": []})])
    row = read(tmp_path / "results.json").rows[0]
    assert row.median is None
    assert row.values == ()
