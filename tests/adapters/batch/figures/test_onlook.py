"""A job's figures from outside."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from msgspec.structs import replace
from tests.adapters.batch.figures.test_figures import STATE

from triollama_adapters.batch.figures.eta import TimeLeft
from triollama_adapters.batch.figures.figures import Figures
from triollama_adapters.batch.figures.onlook import look_on
from triollama_adapters.batch.figures.snapshot import Failure, Lane, Snapshot
from triollama_adapters.batch.ledger.state import BatchState

SHOT = Snapshot(
    at_s=1_100.0,
    begun_s=1_000.0,
    ran_s=100.0,
    done=50,
    running=9,
    left=50,
    rows=100,
    is_rows_known=True,
    rows_per_s=0.5,
    tokens_per_s=5.0,
    left_s=TimeLeft(90.0, 100.0, 110.0),
    waiting="the night",
    failures=(Failure(kind="StallError", rows=1, message="nothing came"),),
    lanes=(Lane(endpoint="a:1", health="well", in_flight=9, rows=50, tokens_per_s=5.0),),
)


def stored(shot: Snapshot = SHOT, **changes: Any) -> BatchState:
    """What a journal has two seconds after such figures were stored."""
    figures = Figures(0.0, 0.0).encode(shot)
    state = attrs.evolve(
        STATE, done=51, failed=2, errors={"StallError": 2}, updated_s=1_102.0, figures=figures
    )
    return attrs.evolve(state, **changes)


def test_a_job_that_runs() -> None:
    """Counts are the journal's, all else is what the run stored."""
    shot = look_on(stored(pid=17, notes={"price_output": 3.0}, output_tokens=10**6), 1_103.0)
    assert (shot.state, shot.done, shot.failed, shot.left, shot.rows) == ("running", 51, 2, 47, 100)
    assert (shot.rows_per_s, shot.left_s, shot.running) == (0.5, SHOT.left_s, 9)
    assert shot.failures == (Failure(kind="StallError", rows=2, message="nothing came"),)
    assert shot.cost == 3.0


def test_a_job_that_hangs() -> None:
    """Its last rates say nothing any more."""
    shot = look_on(stored(pid=0), 1_150.0)
    assert (shot.state, shot.rows_per_s, shot.left_s, shot.left) == ("running", None, None, 47)


def test_a_job_that_was_killed() -> None:
    """Nothing runs there; what it had done is known."""
    shot = look_on(stored(), 9_999.0)
    assert (shot.state, shot.running, shot.waiting, shot.rows_per_s) == ("died", 0, "", None)
    [lane] = shot.lanes
    assert (lane.in_flight, lane.rows, lane.tokens_per_s) == (0, 50, None)


@pytest.mark.parametrize(
    ("state", "shot", "told"),
    [
        ("complete", {}, "died"),  # it went on, and was killed before it could say so
        ("interrupted", {}, "interrupted"),
        ("aborted", {"reason": "too much"}, "aborted"),
        ("running", {"rows": 53}, "complete"),
        ("interrupted", {"rows": 53}, "complete"),
        ("interrupted", {"rows": 53, "is_rows_known": False}, "interrupted"),
        ("interrupted", {"rows": 53, "reason": "the last line has no end"}, "interrupted"),
        ("aborted", {"rows": 53, "reason": "too much"}, "aborted"),
        ("running", {"rows": None, "is_rows_known": False}, "died"),  # killed at its beginning
    ],
)
def test_how_a_job_ended(state: str, shot: dict[str, Any], told: str) -> None:
    """As its run said, or as its counts say if it could not."""
    changed = replace(SHOT, state=state, **shot)
    assert look_on(stored(changed, input_rows=53), 9_999.0).state == told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"figures": None}, ("interrupted", None, False)),
        ({"figures": None, "input_rows": 53}, ("complete", 53, True)),
        ({"figures": None, "input_rows": 60}, ("interrupted", 60, True)),
        ({"updated_s": 2_000.0, "input_rows": 53}, ("complete", 53, True)),
        ({"figures": b"damaged", "pid": 3}, ("running", None, False)),
    ],
)
def test_a_run_that_stored_no_figures(
    changes: dict[str, Any], told: tuple[str, int | None, bool]
) -> None:
    """A program's, say, after one of the command's: what the journal has is all there is."""
    shot = look_on(stored(**changes), 9_999.0)
    assert (shot.state, shot.rows, shot.is_rows_known) == told
    assert (shot.done, shot.failed) == (51, 2)
