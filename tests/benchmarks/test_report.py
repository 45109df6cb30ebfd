"""The results file, written and read again."""

import math
from pathlib import Path
from typing import Any

import pytest
from benchmarks.document import Document, read
from benchmarks.figures import Bar, Spread, Verdict
from benchmarks.harness import Contender
from benchmarks.questions import Row
from benchmarks.report import machine, write
from benchmarks.result import Beside, Client, Outcome
from benchmarks.trial import TrialRow

A, B = Contender("a", "chunks"), Contender("b", "chunks")


def outcome(row: Any, *values: float, verdict: Verdict = Verdict.PASS) -> Outcome:
    """A row's result with a figure of A beside it, where more is better."""
    spread = Spread.of(values) if values else None
    own = Beside(Spread(1.0, 1.0, 1.0), "ms", client=Client("a", "chunks", 10, 44.0, 0.5))
    return Outcome(
        row,
        values,
        spread,
        verdict,
        is_more_better=True,
        absolute={"a.chunks": own},
        notes=("a note",),
    )


def written(path: Path, *outcomes: Outcome) -> Document:
    """What is read of what is written of them."""
    write(path / "deep" / "results.json", machine(), [(list(outcomes), {})])
    return read(path / "deep" / "results.json")


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """Rows keep their figures, those of single repetitions too, their bars and their notes."""
    ratio = Row("ratio", "what", A, B, "x", Bar(2.0, is_at_least=True), load="load")
    trial = TrialRow("trial", "what", "figure", "ms", None, kind="stack")
    document = written(tmp_path, outcome(ratio, 2.0, 4.0), outcome(trial, 5.0, math.nan))
    first, second = document.rows
    assert (first.values, first.median, first.against) == ((2.0, 4.0), 3.0, "b.chunks")
    assert (first.bar, first.verdict, first.is_more_better) == (ratio.bar, Verdict.PASS, True)
    assert (first.kind, first.load, second.kind, second.load) == (
        "figure",
        "load",
        "stack",
        "trial",
    )
    assert first.absolute["a.chunks"].client == Client("a", "chunks", 10, 44.0, 0.5)
    assert second.repetitions == [5.0]
    assert second.notes == ("a note",)
    assert document.machine["python"].startswith("CPython")


@pytest.mark.parametrize("values", [(), (math.nan,)])
def test_a_row_without_a_figure_is_written_as_such(tmp_path: Path, values: Any) -> None:
    """A client that failed and a figure that could not be measured leave no number behind."""
    row = written(tmp_path, outcome(Row("r", "what", A, B, "x", None), *values)).rows[0]
    assert row.median is None
    assert row.repetitions == []
