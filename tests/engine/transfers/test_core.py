"""What lines of progress mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import (
    ConnectError,
    ConnectionLostError,
    ProtocolError,
    StallError,
    TriollamaError,
    TruncatedError,
)
from triollama.api.transfer import ProgressLine
from triollama.transfers.core import (
    RATE_SPAN_S_MIN,
    SILENT_FACTOR,
    RateMeter,
    RestartRule,
    Track,
    phase_of,
)

LAYER = "sha256:" + "6a0746a1ec1a" + "0" * 52
OTHER = "sha256:" + "b" * 64


def track() -> Track:
    """A pull that begins at 0."""
    return Track("pull", "m", "a", 0.0)


def layer(completed: int, total: int = 1_000, digest: str = LAYER) -> ProgressLine:
    """A line about a layer."""
    return ProgressLine(f"pulling {digest[7:19]}", digest, total, completed)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("pulling manifest", "manifest"),
        ("pulling 6a0746a1ec1a", "transfer"),
        ("pulling model", "transfer"),
        ("verifying sha256 digest", "verify"),
        ("writing manifest", "write"),
        ("removing unused layers", "clean"),
        ("success", "done"),
        ("retrieving manifest", "manifest"),
        ("couldn't retrieve manifest", "manifest"),
        ("pushing 6a0746a1ec1a", "transfer"),
        ("pushing manifest", "write"),
        ("parsing GGUF", "convert"),
        ("converting model", "convert"),
        ("converting adapter", "convert"),
        ("validating GGUF model", "convert"),
        ("quantizing F16 model to Q4_K_M", "convert"),
        ("verifying conversion", "convert"),
        ("updating GGUF projector metadata", "convert"),
        (f"using existing layer {LAYER}", "layer"),
        (f"creating new layer {LAYER}", "layer"),
        ("using autodetected template chatml", "layer"),
        ("brewing coffee", "other"),
        ("", "other"),
    ],
)
def test_every_status_has_its_phase(status: str, phase: str) -> None:
    """All of the reference's statuses; others are said as they are."""
    assert phase_of(status) == phase


def test_what_says_nothing_new_is_no_event() -> None:
    """A server repeats a line while a layer stands still; that is no progress."""
    one = track()
    assert one.take(layer(10), 0.0) is not None
    assert one.take(layer(10), 60.0) is None
    assert one.take(layer(11), 61.0) is not None


def test_the_rate_counts_what_came_meanwhile() -> None:
    """A layer that is resumed at 40 % has not brought that; 100 bytes in 2 s are 50 a second."""
    one = track()
    first = one.take(layer(400), 10.0)
    later = one.take(layer(500), 12.0)
    assert first is not None
    assert later is not None
    assert first.rate_bytes_per_s is None
    assert later.rate_bytes_per_s == 50.0
    assert later.share == 0.5
    assert one.result(12.5).moved_bytes == 100
    assert one.result(12.5).took_s == 12.5


def test_the_rate_goes_on_over_layers() -> None:
    """Bytes of all layers count together; one that was there already counts nothing."""
    one = track()
    one.take(layer(0), 0.0)
    one.take(layer(1_000), 1.0)
    one.take(layer(700, 700, OTHER), 1.0)
    result = one.result(2.0)
    assert result.moved_bytes == 1_000
    assert result.digests == (LAYER, OTHER)


def test_a_rate_forgets_what_is_long_past() -> None:
    """Only the last seconds count."""
    meter = RateMeter()
    rates = [meter.note(1_000 * second, float(second)) for second in range(20)]
    assert rates[0] is None
    assert rates[-1] == pytest.approx(1_000)
    for second in range(20, 40):  # it stands still
        rates.append(meter.note(19_000, float(second)))
    assert rates[-1] == 0.0


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 10**12)), max_size=300))
def test_a_rate_is_never_negative_and_holds_little(steps: list[tuple[float, int]]) -> None:
    """Whatever a server tells, at whatever times."""
    meter, now_s = RateMeter(), 0.0
    for wait_s, moved in steps:
        now_s += wait_s
        rate = meter.note(moved, now_s)
        assert rate is None or rate >= 0.0
    assert len(meter._seen) <= 110


def test_no_rate_out_of_one_burst() -> None:
    """What came within a moment says nothing of a second."""
    meter = RateMeter()
    assert meter.note(0, 0.0) is None
    assert meter.note(10**9, RATE_SPAN_S_MIN / 2) is None


def test_silence_is_longer_where_servers_say_nothing() -> None:
    """While a model is verified no line comes for minutes, and nothing is wrong."""
    one = track()
    one.take(layer(1), 0.0)
    assert one.quiet_s(120.0) == 120.0
    one.take(ProgressLine("verifying sha256 digest"), 1.0)
    assert one.quiet_s(120.0) == 120.0 * SILENT_FACTOR


LOST = ConnectionLostError("reset")


@pytest.mark.parametrize(
    ("error", "was_reached", "is_again"),
    [
        (LOST, True, True),
        (StallError("stall_s", 1), True, True),
        (TruncatedError("no success"), True, True),
        (ConnectError("refused"), True, True),
        (ConnectError("refused"), False, False),
        (ProtocolError("no line"), True, False),
    ],
)
def test_what_passes_is_begun_again(
    error: TriollamaError,
    was_reached: bool,  # noqa: FBT001 - a parameter of the cases
    is_again: bool,  # noqa: FBT001 - the same
) -> None:
    """A broken connection is; what would be the same next time is not."""
    wait_s = RestartRule().wait_for(error, track(), was_reached=was_reached)
    assert (wait_s is not None) is is_again


def test_restarts_in_a_row_are_bounded_and_spaced() -> None:
    """Each waits twice as long as the one before; bytes gained begin the count again."""
    rule, one = RestartRule(restarts_max=3, wait_s=1.0, wait_s_max=3.0), track()
    waits = [rule.wait_for(LOST, one, was_reached=True) for _ in range(4)]
    assert waits == [1.0, 2.0, 3.0, None]
    one.take(layer(10), 0.0)
    assert rule.wait_for(LOST, one, was_reached=True) == 1.0
    one.restart(LOST)
    one.take(layer(5), 1.0)  # less than before is no gain
    assert rule.wait_for(LOST, one, was_reached=True) == 2.0


def test_an_event_after_a_restart_tells_its_attempt() -> None:
    """The reader knows why a bar goes back."""
    one = track()
    told = one.restart(LOST)
    assert (told.phase, told.attempt) == ("restart", 2)
    assert "reset" in told.status
    again = one.take(layer(3), 0.0)
    assert again is not None
    assert again.attempt == 2
