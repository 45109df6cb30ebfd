"""When the users of a closed loop begin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.arrivals.closed import starts_ns
from triollama_adapters.loadtest.plan import ClosedLoop


def test_a_ramp_by_hand() -> None:
    """Four users over two seconds: one every half second, in turn for two processes."""
    shape = ClosedLoop(4, ramp_s=2.0)
    assert starts_ns(shape) == [0, 500_000_000, 1_000_000_000, 1_500_000_000]
    assert starts_ns(shape, process=1, processes=2) == [500_000_000, 1_500_000_000]
    assert starts_ns(ClosedLoop(3)) == [0, 0, 0]


@given(st.integers(1, 500), st.floats(0.0, 1e4), st.integers(1, 16))
def test_processes_share_the_users(concurrency: int, ramp_s: float, processes: int) -> None:
    """Each user begins once, whatever the number of processes, and within the ramp."""
    shape = ClosedLoop(concurrency, ramp_s=ramp_s)
    parts = [starts_ns(shape, process=p, processes=processes) for p in range(processes)]
    assert sorted(at for part in parts for at in part) == starts_ns(shape)
    assert len(starts_ns(shape)) == concurrency
    assert all(0 <= at <= ramp_s * 1e9 for at in starts_ns(shape))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
