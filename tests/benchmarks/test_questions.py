"""How runs become rows."""

import math
import threading

import attrs
import pytest
from benchmarks.__main__ import FULL_WINDOWS, TRIALS, _comparisons, _longer, _names
from benchmarks.figures import Bar, Verdict
from benchmarks.harness import SATURATED, Contender, Run
from benchmarks.load_server.report import Lateness
from benchmarks.measure import Measurement
from benchmarks.plan import Plan
from benchmarks.processes import Lane, RunError
from benchmarks.questions import Absolute, Comparison, Row, ask
from benchmarks.shared import CPU_US

from benchmarks import growth, questions

A, B, C = (Contender(name, "chunks") for name in "abc")


def a_run(cpu_s: float, count: int = 1_000, due: float = 1_000) -> Run:
    """A run of one second that spent so much CPU time on so many chunks."""
    measurement = Measurement(
        count=count,
        began_s=0.0,
        ended_s=1.0,
        user_s=cpu_s,
        system_s=0.0,
        switches=250,
        rss_bytes_before=0,
        rss_bytes=0,
        rss_bytes_max=20 * 2**20,
    )
    return Run(Plan(streams=20), measurement, server_cpu=0.5, served=1_000, due=due)


def a_comparison() -> Comparison:
    """A is judged against B, and C looks on."""
    row = Row("row", "what", A, B, "x", Bar(2.0))
    return Comparison(Plan(streams=20), (row,), CPU_US, onlookers=(C,), onlooker_repetitions=2)


def test_ratios_are_taken_within_a_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slows down for one round slows both sides and leaves the ratio alone."""
    runs = {A: iter([1.5, 15.0, 1.5]), B: iter([1.0, 10.0, 1.0]), C: iter([7.0, 7.0])}
    order = []

    def run_once(who: Contender, plan: Plan, lane: Lane) -> Run:
        order.append(who.client)
        return a_run(next(runs[who]))

    monkeypatch.setattr(questions, "run_once", run_once)
    (outcome,), _ = ask(a_comparison(), 3, lambda line: None)
    assert order == ["b", "a", "c", "b", "a", "c", "b", "a"]
    assert outcome.verdict is Verdict.PASS
    assert outcome.spread is not None
    assert (outcome.spread.low, outcome.spread.high) == pytest.approx((1.5, 1.5))
    assert outcome.values == pytest.approx((1.5, 1.5, 1.5))
    assert set(outcome.absolute) == {"a.chunks", "b.chunks", "c.chunks"}


def test_a_client_that_fails_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is an error with the reason, and the others still show their figures."""
    tried = []

    def run_once(who: Contender, plan: Plan, lane: Lane) -> Run:
        tried.append(who)
        if who == A:
            raise RunError("a fell over")
        return a_run(0.5)

    monkeypatch.setattr(questions, "run_once", run_once)
    (outcome,), runs = ask(a_comparison(), 3, lambda line: None)
    assert tried.count(A) == 1
    assert outcome.verdict is Verdict.ERROR
    assert outcome.notes == ("a.chunks: a fell over",)
    assert len(runs["b.chunks"]) == 3


def test_a_load_that_was_not_the_planned_one_voids_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that received 96 % of what was due did not carry the row's load."""
    monkeypatch.setattr(
        questions, "run_once", lambda who, plan, lane: a_run(1.0, count=960 if who == A else 1_000)
    )
    (outcome,), _ = ask(a_comparison(), 1, lambda line: None)
    assert outcome.verdict is Verdict.INVALID
    assert "received 96%" in outcome.notes[0]


def test_one_faulty_run_of_three_does_not_void_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hiccup in one repetition leaves the median standing."""
    counts = iter([500, 1_000, 1_000])
    monkeypatch.setattr(
        questions,
        "run_once",
        lambda who, plan, lane: a_run(1.0, next(counts) if who == A else 1_000),
    )
    (outcome,), _ = ask(a_comparison(), 3, lambda line: None)
    assert outcome.verdict is Verdict.PASS


def test_a_peer_may_fall_behind_where_its_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it did not take in does not void the row, and the row says that it fell behind."""
    monkeypatch.setattr(
        questions,
        "run_once",
        lambda who, plan, lane: a_run(1.0, 1_000) if who == A else a_run(1.0, 400),
    )
    strict = a_comparison()
    (voided,), _ = ask(strict, 1, lambda line: None)
    lenient = attrs.evolve(strict, rows=(attrs.evolve(strict.rows[0], may_lag=True),))
    (outcome,), _ = ask(lenient, 1, lambda line: None)
    assert voided.verdict is Verdict.INVALID
    assert outcome.verdict is Verdict.PASS
    assert any(note.startswith("b.chunks: received 40%") for note in outcome.notes)


def test_a_client_without_its_core_voids_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came while others had the core was read in one go, and cheaply: no figure to compare."""
    run = a_run(0.5)
    kept_waiting = attrs.evolve(run, measurement=attrs.evolve(run.measurement, waited_s=0.3))
    monkeypatch.setattr(questions, "run_once", lambda who, plan, lane: kept_waiting)
    (outcome,), _ = ask(a_comparison(), 1, lambda line: None)
    assert outcome.verdict is Verdict.INVALID
    assert "waited 30% of the time for its core" in outcome.notes[0]


def test_a_full_core_is_told_of_and_no_fault() -> None:
    """A client that works without rest reads several chunks at once; its figure says so."""
    run = a_run(0.99)
    assert not run.faults()
    assert run.notes() == [SATURATED]


def test_growth_is_of_streams_alone() -> None:
    """Every contender of the question has the same chunks per second in all."""
    (comparison,) = growth.COMPARISONS
    contenders = (*comparison.contenders(), *comparison.onlookers, *comparison.peers)
    plans = [contender.plan or comparison.plan for contender in contenders]
    assert {round(plan.streams / plan.interval_s) for plan in plans} == {growth.CHUNKS_PER_S}


def test_pairs_run_at_once_and_change_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two contenders run together, and each gets the other's cores in the next round."""
    lanes = (Lane(0, 3), Lane(1, 2))
    ran: list[tuple[str, Lane]] = []
    together = threading.Barrier(2, timeout=5)

    def run_once(who: Contender, plan: Plan, lane: Lane) -> Run:
        ran.append((who.client, lane))
        together.wait()
        return a_run(0.5)

    monkeypatch.setattr(questions, "run_once", run_once)
    monkeypatch.setattr(questions, "lanes", lambda: lanes)
    comparison = attrs.evolve(a_comparison(), onlookers=(), is_paired=True)
    _, runs = ask(comparison, 2, lambda line: None)
    assert set(ran[:2]) == {("b", lanes[0]), ("a", lanes[1])}
    assert set(ran[2:]) == {("b", lanes[1]), ("a", lanes[0])}
    assert {who: len(each) for who, each in runs.items()} == {"a.chunks": 2, "b.chunks": 2}


def test_a_contender_may_have_a_load_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own plan is run instead of the comparison's, and its name tells the two apart."""
    plans = {}

    def run_once(who: Contender, plan: Plan, lane: Lane) -> Run:
        plans[str(who)] = plan.streams
        return a_run(0.5)

    monkeypatch.setattr(questions, "run_once", run_once)
    larger = attrs.evolve(A, plan=Plan(streams=5_000))
    comparison = a_comparison()
    row = attrs.evolve(comparison.rows[0], measured=larger, against=A)
    ask(attrs.evolve(comparison, rows=(row,), onlookers=()), 1, lambda line: None)
    assert plans == {"a.chunks": 20, "a.chunks at 5,000 streams": 5_000}


def test_a_row_of_one_side_is_its_own_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the figure that it judges, what its process took, and what the server says."""
    late = attrs.evolve(a_run(0.5), lateness=Lateness(1_000, 600, 1_100, 2_000))
    monkeypatch.setattr(questions, "run_once", lambda who, plan, lane: late)
    server = Absolute(lambda run: run.lateness.p99_us / 1e3, "ms late itself")
    row = attrs.evolve(a_comparison().rows[0], against=None, bar=None, server=server)
    row = attrs.evolve(row, absolute=Absolute(lambda run: run.server_cpu, "of a core"), beside=())
    (outcome,), _ = ask(
        attrs.evolve(a_comparison(), rows=(row,), onlookers=()), 1, lambda line: None
    )
    assert outcome.values == (0.5,)
    shown = {name: beside.show() for name, beside in outcome.absolute.items()}
    assert shown == {
        "a.chunks": "0.5 of a core (0.5 to 0.5); 20 MiB, 0.25 switches each",
        "the load server": "1.1 ms late itself (1.1 to 1.1)",
    }


def test_nothing_to_divide_by_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody whose figure is zero makes no ratio, and ends nothing."""
    monkeypatch.setattr(questions, "run_once", lambda who, plan, lane: a_run(float(who == A)))
    (outcome,), _ = ask(a_comparison(), 1, lambda line: None)
    assert outcome.verdict is Verdict.MISS
    assert math.isnan(outcome.values[0])


def test_longer_windows_are_everybodys() -> None:
    """A contender with a load of its own has the longer window, too, and more time for it."""
    (comparison,) = growth.COMPARISONS
    longer = _longer(comparison)
    assert isinstance(longer, Comparison)
    for who in comparison.contenders():
        before, after = comparison.plan_of(who), longer.plan_of(who)
        assert after.window_s == FULL_WINDOWS * before.window_s
        assert after.deadline_s - after.window_s == before.deadline_s - before.window_s


def test_every_row_has_one_name() -> None:
    """``--rows`` can tell any two rows apart."""
    names = [row.name for each in (*_comparisons(), *TRIALS) for row in each.rows]
    assert len(names) == len(set(names))


def test_each_row_is_of_one_suite() -> None:
    """The load tester's rows are run by themselves, or with --rows."""
    engine, load = _names("engine"), _names("load")
    assert engine + load == _names()
    assert not set(engine) & set(load)
    assert all(name.startswith("load-") for name in load)
