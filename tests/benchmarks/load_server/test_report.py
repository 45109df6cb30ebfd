"""What the load server says of itself."""

import time

import pytest
from benchmarks.load_server.report import ClosingLog, LatenessLog


def test_lateness_is_told_to_the_histograms_step() -> None:
    """The percentiles are the upper edges of their steps, the maximum is exact."""
    log = LatenessLog()
    log.note([5e-6, 15e-6])
    log.note([995e-6, 25e-6])
    summary = log.summary()
    assert summary.count == 4
    assert (summary.p50_us, summary.p99_us) == (20, 1_000)
    assert summary.max_us == pytest.approx(995)


def test_what_is_later_than_the_histogram_is_long_keeps_its_maximum() -> None:
    """A server that was stopped for a second says so."""
    log = LatenessLog()
    log.note([1.0])
    assert log.summary().max_us == pytest.approx(1e6)
    assert log.summary().p50_us < 1e6


def test_without_chunks_there_is_no_lateness() -> None:
    """Nothing noted is nothing late."""
    assert LatenessLog().summary().count == 0


def test_closings_are_counted_and_timed() -> None:
    """Nearly all were closed by now and not before, and what is still open is told too."""
    log = ClosingLog()
    assert log.summary(left_open=3).count == 0
    began_s = time.monotonic()
    log.note()
    log.note()
    closings = log.summary(left_open=1)
    assert (closings.count, closings.left_open) == (2, 1)
    assert began_s <= closings.p99_s <= time.monotonic()
