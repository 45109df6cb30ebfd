"""Whole fleets under every fault, many seeds: no request is lost, no character is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

import pytest
from tests.simulation.report import Report, Tally
from tests.simulation.run import run_seed, run_seeds

REGRESSIONS = (
    # A 404 whose body is compressed, or no JSON, ends the request, though another endpoint has the
    # model.
    1480,
    # While the good endpoint is full, all attempts are spent at one moment on those that are down.
    9860,
    # The endpoint that failed last was left out of the wait for one that works, to its end.
    622,
    # A request that was stopped before its quota stayed in the limiter's line.
    1961,
    4481,
    8604,
    9641,
    9767,
)
"""Seeds that failed once, each with what was wrong. What they do changes with the engine and with
what is drawn; one that is mended loses its mark, and is kept."""

SHARE = 25
"""Seeds given to a worker process at a time."""

FAILURES_SHOWN = 3
EVENTS_SHOWN = 40


def check(reports: Iterable[Report], tally: Tally) -> None:
    """Sum reports up, and fail with what is needed to replay those that failed."""
    failed = []
    for report in reports:
        tally.add(report)
        if report.failures:
            failed.append(report)
    if failed:
        seeds = " ".join(f"--seed {report.seed}" for report in failed)
        told = "\n\n".join(story(report) for report in failed[:FAILURES_SHOWN])
        pytest.fail(f"replay: pytest tests/simulation {seeds}\n\n{told}", pytrace=False)


def story(report: Report) -> str:
    """What happened in a run that failed, its end at least."""
    events = "\n".join(report.trace[-EVENTS_SHOWN:])
    return f"seed {report.seed}\n{events}\n" + "\n".join(report.failures)


@pytest.mark.slow
def test_seeds(batch: Sequence[int], workers: Executor | None, tally: Tally) -> None:
    """At every step the ledger adds up; at the end each request has one outcome, and the truth."""
    if workers is None or len(batch) == 1:
        check(map(run_seed, batch), tally)
        return
    shares = [batch[at : at + SHARE] for at in range(0, len(batch), SHARE)]
    check((report for share in workers.map(run_seeds, shares) for report in share), tally)


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_seed_that_failed_once(seed: int, tally: Tally) -> None:
    """What was found once stays mended."""
    check([run_seed(seed)], tally)
