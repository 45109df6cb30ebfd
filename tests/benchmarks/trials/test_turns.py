"""What turns of several ways amount to, and what they take for a wrong load."""

from typing import Any

import pytest
from benchmarks.loads import Load
from benchmarks.measure import Measurement
from benchmarks.plan import Plan
from benchmarks.trials.turns import Turns

NO_PROCESS: Any = None


def turns(*cpu_us: float, count: int = 1_000) -> Turns:
    """Turns of 0.1 s with 1,000 chunks due in each, at so many microseconds of CPU per chunk."""
    load = Load(Plan(streams=200, interval_s=0.02, window_s=0.1), NO_PROCESS)
    windows = [Measurement(count, 0.0, 0.1, count * us / 1e6, 0.0, 0, 0, 0, 0) for us in cpu_us]
    return Turns(load, windows=windows)


def test_drift_is_taken_out_round_by_round() -> None:
    """A machine that doubles its price for a round leaves the difference nearly alone."""
    below, above = turns(10.0, 20.0, 10.5), turns(11.0, 21.1, 11.4)
    assert above.beyond(below) == pytest.approx(1.0)
    assert above.cpu_us == pytest.approx(11.4)


def test_missing_chunks_and_a_busy_server_are_faults() -> None:
    """Less than 97 % of the chunks, or a server without rest, measured another load."""
    assert turns(10.0, count=970).faults("way") == []
    assert turns(10.0, count=960).faults("way") == [
        "way: 960 chunks or answers came, 1000 were due"
    ]
    busy = turns(10.0)
    busy.server_cpu_s = 0.099
    assert busy.faults("way") == ["way: the load server used its whole core"]


def test_nothing_at_all_is_a_fault_where_nothing_is_due() -> None:
    """Answers come as they are asked for, but some must come."""
    none = Turns(
        Load(Plan(in_flight=100, window_s=0.1), NO_PROCESS), windows=turns(1.0, count=0).windows
    )
    assert none.faults("way") == ["way: 0 chunks or answers came, 0 were due"]
