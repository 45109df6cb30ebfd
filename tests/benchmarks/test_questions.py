"""How runs become rows."""

import pytest
from benchmarks.__main__ import QUESTIONS
from benchmarks.figures import Bar, Verdict
from benchmarks.harness import Contender, Run, RunError
from benchmarks.measure import Measurement
from benchmarks.plan import Plan
from benchmarks.questions import Comparison, Row, ask

from benchmarks import questions

A, B, C = (Contender(name, "chunks") for name in "abc")


def a_run(cpu_s: float, count: int = 1_000, due: float = 1_000) -> Run:
    """A run of one second that spent so much CPU time on so many chunks."""
    measurement = Measurement(
        count=count,
        began_s=0.0,
        ended_s=1.0,
        user_s=cpu_s,
        system_s=0.0,
        switches=0,
        rss_bytes_before=0,
        rss_bytes=0,
        rss_bytes_max=0,
    )
    return Run(Plan(streams=20), measurement, server_cpu=0.5, served=1_000, due=due)


def a_comparison() -> Comparison:
    """A is judged against B, and C looks on."""
    row = Row(
        "row",
        "what",
        A,
        B,
        "x",
        Bar(2.0),
        lambda run, other: run.measurement.cpu_us_each / other.measurement.cpu_us_each,
    )
    return Comparison(
        Plan(streams=20), (row,), (lambda run: run.measurement.cpu_us_each, "µs"), onlookers=(C,)
    )


def test_ratios_are_taken_within_a_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slows down for one round slows both sides and leaves the ratio alone."""
    runs = {A: iter([1.5, 15.0, 1.5]), B: iter([1.0, 10.0, 1.0]), C: iter([7.0, 7.0])}
    order = []

    def run_once(who: Contender, plan: Plan) -> Run:
        order.append(who.client)
        return a_run(next(runs[who]))

    monkeypatch.setattr(questions, "run_once", run_once)
    (outcome,), _ = ask(a_comparison(), 3, lambda line: None)
    assert order == ["b", "a", "c", "b", "a", "c", "b", "a"]
    assert outcome.verdict is Verdict.PASS
    assert outcome.spread is not None
    assert (outcome.spread.low, outcome.spread.high) == pytest.approx((1.5, 1.5))
    assert set(outcome.absolute) == {"a.chunks", "b.chunks", "c.chunks"}


def test_a_client_that_fails_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is an error with the reason, and the others still show their figures."""
    tried = []

    def run_once(who: Contender, plan: Plan) -> Run:
        tried.append(who)
        if who == A:
            raise RunError("a fell over")
        return a_run(1.0)

    monkeypatch.setattr(questions, "run_once", run_once)
    (outcome,), runs = ask(a_comparison(), 3, lambda line: None)
    assert tried.count(A) == 1
    assert outcome.verdict is Verdict.ERROR
    assert outcome.notes == ("a.chunks: a fell over",)
    assert len(runs["b.chunks"]) == 3


def test_a_load_that_was_not_the_planned_one_voids_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that received 96 % of what was due did not carry the row's load."""
    monkeypatch.setattr(
        questions, "run_once", lambda who, plan: a_run(1.0, count=960 if who == A else 1_000)
    )
    (outcome,), _ = ask(a_comparison(), 1, lambda line: None)
    assert outcome.verdict is Verdict.INVALID
    assert "received 96%" in outcome.notes[0]


def test_one_faulty_run_of_three_does_not_void_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hiccup in one repetition leaves the median standing."""
    counts = iter([500, 1_000, 1_000])
    monkeypatch.setattr(
        questions, "run_once", lambda who, plan: a_run(1.0, next(counts) if who == A else 1_000)
    )
    (outcome,), _ = ask(a_comparison(), 3, lambda line: None)
    assert outcome.verdict is Verdict.PASS


def test_every_row_has_one_name() -> None:
    """``--rows`` can tell any two rows apart."""
    names = [
        row.name
        for module in QUESTIONS
        for comparison in module.COMPARISONS
        for row in comparison.rows
    ]
    assert len(names) == len(set(names))
