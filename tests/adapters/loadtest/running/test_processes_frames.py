"""Frames: every message whole, byte by byte, and with what follows it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.loadtest.running.plans import make_plan, scripted

from triollama_adapters.loadtest.running.frames import (
    Begin,
    Died,
    FrameError,
    Go,
    News,
    Order,
    Progressed,
    Ready,
    Sampled,
    Stop,
    Tallied,
    frame,
    read_news,
    read_orders,
)
from triollama_adapters.loadtest.running.merged import merged
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.targets.facts import EndpointFacts, Facts

NEWS: list[News] = [
    Ready(7, "triollama 1, Python 3.11"),
    Progressed(Progress(at_s=-1.0, stage="before", until_s=0.0, errors={"lost": 1})),
    Sampled([scripted(index) for index in range(3)]),
    Sampled([]),
    Tallied(b"\x00\xff" * 500),
    Died("KeyError", "worker"),
]
ORDERS: list[Order] = [
    Begin(msgspec.json.encode(make_plan()), 3, Facts((EndpointFacts("a:1"),)), with_samples=True),
    Go(-5),
    Stop(),
]


@given(st.lists(st.integers(1, 50), max_size=200))
def test_news_in_pieces(lengths: list[int]) -> None:
    """However the bytes are cut, the same messages come out, in order."""
    data = b"".join(map(frame, NEWS))
    frames, found, at = read_news(), list[News](), 0
    for length in lengths:
        found += frames.feed(data[at : at + length])
        at += length
    found += frames.feed(data[at:])
    assert found == NEWS
    assert not frames.is_torn


def test_orders() -> None:
    """Orders come back as they were, the plan's JSON with its secrets in them."""
    assert list(read_orders().feed(b"".join(map(frame, ORDERS)))) == ORDERS


def test_torn() -> None:
    """A message that is not complete can be told from silence."""
    frames = read_news()
    assert list(frames.feed(frame(NEWS[0])[:-1])) == []
    assert frames.is_torn


@pytest.mark.parametrize(
    "data",
    [b"Traceback (most recent call last):", b"\x00\x00\x00\x02{}", frame(Go(1))],
)
def test_no_frames(data: bytes) -> None:
    """What is no frame, holds no message, or one that goes the other way, is refused."""
    with pytest.raises(FrameError):
        list(read_news().feed(data))


def test_merged_progress() -> None:
    """Counts add up, percentiles are weighted by what was sent, lags and CPU are the worst."""
    parts = [
        Progress(
            at_s=2.0,
            stage="measuring",
            until_s=9.0,
            sent=3,
            errors={"lost": 1, "stall": 1},
            in_flight={"a": 2},
            sent_per_s=30.0,
            ttft_p95_s=1.0,
            lag_s=0.5,
            cpu=0.2,
        ),
        Progress(
            at_s=1.5,
            stage="warm-up",
            until_s=2.0,
            sent=1,
            errors={"lost": 2},
            in_flight={"a": 1, "b": 1},
            sent_per_s=10.0,
            ttft_p95_s=2.0,
            e2e_p95_s=4.0,
            lag_s=0.1,
            cpu=0.9,
        ),
    ]
    whole = merged(parts)
    assert (whole.at_s, whole.stage, whole.until_s, whole.sent) == (2.0, "measuring", 9.0, 4)
    assert whole.errors == {"lost": 3, "stall": 1}
    assert whole.in_flight == {"a": 3, "b": 1}
    assert (whole.sent_per_s, whole.ttft_p50_s, whole.ttft_p95_s) == (40.0, None, 1.25)
    assert (whole.e2e_p95_s, whole.lag_s, whole.cpu) == (4.0, 0.5, 0.9)


def test_one_progress_is_itself() -> None:
    """One worker's progress is the run's."""
    one = Progress(at_s=2.0, stage="drain", until_s=9.0, ttft_p50_s=0.25, start_delay_p99_s=0.0)
    assert merged([one]) == one
