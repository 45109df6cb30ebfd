"""One client against one load server, in processes of their own."""

import pytest
from benchmarks.harness import Contender, RunError, run_once
from benchmarks.plan import Plan


@pytest.mark.slow
def test_the_floor_receives_what_was_due() -> None:
    """The smallest client against the server: chunks arrive on schedule and cost CPU time."""
    run = run_once(Contender("floor", "chunks"), Plan(streams=20, settle_s=0.05, window_s=0.3))
    assert run.measurement.count == pytest.approx(run.due, rel=0.25)
    assert run.served == pytest.approx(run.due, rel=0.25)
    assert 0 < run.measurement.cpu_us_each < 10_000


@pytest.mark.slow
def test_the_floor_gets_short_answers() -> None:
    """One-line answers come as fast as they are asked for."""
    run = run_once(Contender("floor", "requests"), Plan(in_flight=5, settle_s=0.05, window_s=0.2))
    assert run.measurement.count > 20


@pytest.mark.slow
def test_a_client_that_fails_says_which_and_why() -> None:
    """A task that a client does not have is an error with the client's own words."""
    with pytest.raises(RunError, match=r"floor\.collect ended with status 1\nfloor has no task"):
        run_once(Contender("floor", "collect"), Plan(streams=1))


@pytest.mark.slow
def test_a_client_over_its_deadline_is_ended() -> None:
    """A window longer than the deadline ends the client, not the harness."""
    with pytest.raises(RunError, match="status -14"):
        run_once(Contender("floor", "chunks"), Plan(streams=1, window_s=60.0, deadline_s=0.5))
