"""One client against one load server, in processes of their own."""

import os

import pytest
from benchmarks.harness import Contender, Run, run_once
from benchmarks.load_server.report import Lateness
from benchmarks.measure import Measurement
from benchmarks.plan import Plan
from benchmarks.processes import RunError, lanes


@pytest.mark.parametrize(
    ("cores", "expected"),
    [({0}, [(0, 0)]), ({0, 1, 2}, [(0, 2)]), ({0, 1, 2, 3}, [(0, 3), (1, 2)])],
)
def test_lanes_share_no_core(
    monkeypatch: pytest.MonkeyPatch, cores: set[int], expected: list[tuple[int, int]]
) -> None:
    """Two runs at once need four cores; with fewer there is one at a time."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    assert [(lane.server, lane.client) for lane in lanes()] == expected


def measured(contender: Contender, plan: Plan) -> Run:
    """One run, on the first of the lanes."""
    return run_once(contender, plan, lanes()[0])


@pytest.mark.slow
def test_the_floor_receives_what_was_due() -> None:
    """The smallest client against the server: chunks arrive on schedule and cost CPU time."""
    run = measured(Contender("floor", "chunks"), Plan(streams=20, settle_s=0.05, window_s=0.3))
    assert run.measurement.count == pytest.approx(run.due, rel=0.25)
    assert run.served == pytest.approx(run.due, rel=0.25)
    assert 0 < run.measurement.cpu_us_each < 10_000


@pytest.mark.slow
def test_the_floor_gets_short_answers() -> None:
    """One-line answers come as fast as they are asked for."""
    run = measured(Contender("floor", "requests"), Plan(in_flight=5, settle_s=0.05, window_s=0.2))
    assert run.measurement.count > 20


@pytest.mark.slow
def test_a_client_that_fails_says_which_and_why() -> None:
    """A task that a client does not have is an error with the client's own words."""
    with pytest.raises(RunError, match=r"floor\.collect ended with status 1\nfloor has no task"):
        measured(Contender("floor", "collect"), Plan(streams=1))


@pytest.mark.slow
def test_a_client_over_its_deadline_is_ended() -> None:
    """A window longer than the deadline ends the client, not the harness."""
    with pytest.raises(RunError, match="status -14"):
        measured(Contender("floor", "chunks"), Plan(streams=1, window_s=60.0, deadline_s=0.5))


@pytest.mark.slow
def test_the_server_knows_how_late_it_was() -> None:
    """Chunks are late by about half a tick, and the report says so."""
    run = measured(Contender("floor", "chunks"), Plan(streams=20, settle_s=0.05, window_s=0.2))
    assert run.lateness.count > 0
    assert 0 < run.lateness.p50_us <= run.lateness.p99_us <= run.lateness.max_us + 10


@pytest.mark.parametrize(("p99_us", "is_late"), [(5_900, False), (6_100, True)])
def test_a_server_behind_its_schedule_is_a_fault(p99_us: float, *, is_late: bool) -> None:
    """A hundredth of the chunks may be late by 5 ms beyond the tick, and not by more."""
    measurement = Measurement(1_000, 0.0, 1.0, 0.5, 0.0, 0, 0, 0, 0)
    run = Run(Plan(streams=20), measurement, 0.5, 1_000, 1_000, Lateness(1_000, 600, p99_us, 9_000))
    assert bool(run.faults()) is is_late
    assert all("6.1 ms late" in fault for fault in run.faults())


@pytest.mark.slow
def test_a_stamped_chunk_tells_its_delay() -> None:
    """The time in a chunk is before the reader has it, and by less than a second."""
    plan = Plan(streams=20, is_stamped=True, settle_s=0.05, window_s=0.2)
    figures = measured(Contender("floor", "delays"), plan).measurement.figures
    assert 0 < figures["delay_p50_ms"] <= figures["delay_p99_ms"] <= figures["delay_max_ms"] < 1e3


@pytest.mark.slow
def test_all_streams_are_opened_at_once() -> None:
    """A prompt server sends first chunks only, and the window ends with the last of them."""
    plan = Plan(streams=20, interval_s=100.0, is_prompt=True)
    run = measured(Contender("engine", "opening"), plan)
    assert run.measurement.count == pytest.approx(20, abs=2)
    assert 0 < run.measurement.ended_s - run.measurement.began_s < 1


@pytest.mark.slow
def test_the_server_sees_each_cancelled_stream() -> None:
    """Every socket is closed after the cancellation, and nothing is left."""
    plan = Plan(streams=20, settle_s=0.05, window_s=0.1)
    run = measured(Contender("engine", "cancelling"), plan)
    figures = run.measurement.figures
    assert (run.closings.count, run.closings.left_open) == (20, 0)
    assert figures["cancelled_s"] < run.closings.p99_s
    assert not any(figures[f"{kind}_leaked"] for kind in ("tasks", "sockets", "slots"))


@pytest.mark.slow
def test_a_flood_is_not_scheduled() -> None:
    """Without an interval nothing is due, and far more comes than any schedule would send."""
    plan = Plan(streams=20, interval_s=0.0, settle_s=0.5, window_s=0.2)
    run = measured(Contender("floor", "chunks"), plan)
    assert run.due == 0
    assert run.measurement.count > 20_000


@pytest.mark.slow
def test_peak_memory_is_the_clients_own() -> None:
    """What the harness holds when it starts a client is not counted as the client's."""
    ballast = bytearray(b"x" * 200_000_000)
    run = measured(Contender("floor", "chunks"), Plan(streams=5, settle_s=0.05, window_s=0.1))
    assert 0 < run.measurement.rss_bytes <= run.measurement.rss_bytes_max < len(ballast)
