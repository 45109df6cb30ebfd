"""The numbers of a run."""

import pytest

from triollama_adapters.cli._tally import WINDOW_SAMPLES, Answered, Tally

S = 1_000_000_000

FIGURES = Answered("a:1", chunks=10, prompt_tokens=5, tokens=9, first_token_ns=2_000_000)


def answer(tally: Tally, input_bytes: int = 100, figures: Answered = FIGURES) -> None:
    """Count a whole answer."""
    tally.begin()
    tally.answer(figures, input_bytes)


def test_every_line_is_counted_once() -> None:
    """Records are answers and errors; a stopped request is neither."""
    tally = Tally(0)
    answer(tally)
    tally.begin()
    tally.fail("StallError", "nothing arrived", 100)
    tally.refuse("LineNotJson", "not JSON", 100)
    tally.begin()
    tally.stop()
    tally.end(2 * S)
    summary = tally.summary()
    assert (summary.records, summary.complete, summary.errors, summary.stopped) == (3, 1, 2, 1)
    assert summary.error_types == {"StallError": 1, "LineNotJson": 1}
    assert summary.first_error == "nothing arrived"
    assert tally.in_flight == 0


def test_summary_adds_up() -> None:
    """Chunks, tokens and endpoints are sums over the complete answers."""
    tally = Tally(10 * S)
    answer(tally)
    answer(tally, figures=Answered("b:1", 30, 1, 2, None))
    tally.end(12 * S)
    summary = tally.summary()
    assert (summary.wall_s, summary.chunks, summary.chunks_per_s) == (2.0, 40, 20.0)
    assert (summary.prompt_tokens, summary.tokens) == (6, 11)
    assert summary.endpoints == {"a:1": 1, "b:1": 1}
    assert summary.first_token_ms_p50 == pytest.approx(2.0, rel=0.01)


def test_a_run_that_never_began_has_a_summary() -> None:
    """Interrupted before the first request: zeros, not a division by zero."""
    summary = Tally(5 * S).summary()
    assert (summary.records, summary.chunks_per_s, summary.first_token_ms_p99) == (0, 0.0, None)


def test_what_is_left_follows_from_the_bytes() -> None:
    """A quarter of the bytes in 10 s leaves 30 s; blank lines and errors count too."""
    tally = Tally(0, input_bytes=1000)
    answer(tally, 100)
    tally.refuse("LineNotJson", "not JSON", 100)
    tally.skip(50)
    snapshot = tally.snapshot(10 * S, 0)
    assert (snapshot.share, snapshot.left_s) == (0.25, 30.0)


def test_nothing_is_promised_before_two_rounds() -> None:
    """With 3 answers coming at once there is an estimate from the sixth record on, not before."""
    tally = Tally(0, input_bytes=1000)
    estimates = []
    for second in range(1, 8):
        answer(tally, 100)
        estimates.append(tally.snapshot(second * S, 50, answering=3 if second == 1 else 1).left_s)
    assert estimates[:5] == [None] * 5
    assert estimates[5:] == [pytest.approx(4.0), pytest.approx(3.0)]


def test_nothing_is_promised_without_a_size_or_a_beginning() -> None:
    """A pipe has no share; a run without a record has no estimate yet."""
    assert Tally(0).snapshot(S, 0).share is None
    fresh = Tally(0, input_bytes=1000).snapshot(S, 0)
    assert (fresh.share, fresh.left_s) == (0.0, None)


def test_share_is_never_above_one() -> None:
    """A file that grows while it is read does not show 130 %."""
    tally = Tally(0, input_bytes=100)
    answer(tally, 130)
    assert tally.snapshot(S, 0).share == 1.0


def test_rates_include_unfinished_answers_and_look_back_a_window() -> None:
    """Chunks of running streams count at once, and what is long past no longer does."""
    tally = Tally(0)
    assert tally.snapshot(1 * S, 50).chunks_per_s == 50.0
    for second in range(2, 3 * WINDOW_SAMPLES):
        snapshot = tally.snapshot(second * S, 50)
    assert snapshot.chunks_per_s == 0.0


def test_restarting_moves_the_start() -> None:
    """The time that servers take to start is not part of the run."""
    tally = Tally(0)
    tally.restart(100 * S)
    assert tally.snapshot(101 * S, 20).chunks_per_s == 20.0
    tally.end(102 * S)
    assert tally.summary().wall_s == 2.0
