"""A bucket gives no more than it may, and takes back what would still be there."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.actors.limits import meter as meter_module
from triollama.actors.limits.meter import CAPACITY_MAX, DEBT_S_MAX, PEAKS_MAX, Meter


@attrs.define
class Oracle:
    """The same bucket, computed anew from all that happened, corrected in hindsight."""

    per_s: float
    capacity: float
    takes: list[list[float]] = attrs.field(factory=list)

    def content(self, now_s: float) -> float:
        """What is in it."""
        at_s, content = 0.0, self.capacity
        for then_s, amount in [*self.takes, [now_s, 0.0]]:
            content = min(content + (then_s - at_s) * self.per_s, self.capacity) - amount
            at_s = then_s
        return content


moves = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "give back", "charge"]),
        st.integers(0, 40).map(lambda quarters: quarters / 4),
        st.integers(0, 10),
        st.integers(0, 30),
    ),
    max_size=40,
)


def play(meter: Meter, oracle: Oracle, script: list[Any]) -> float:
    """Do the same with both; returns when it ended."""
    now_s, given_back = 0.0, set()
    for kind, pause_s, amount, which in script:
        now_s += pause_s
        if kind == "take":
            now_s = max(now_s, meter.ready_s(amount, now_s))
            meter.take(amount, now_s)
            oracle.takes.append([now_s, amount])
        elif kind == "charge":
            meter.charge(amount, now_s)
            oracle.takes.append([now_s, amount])
        elif which < len(oracle.takes) and which not in given_back:
            given_back.add(which)
            since_s, taken = oracle.takes[which]
            back = min(amount, int(taken))
            meter.give_back(back, since_s, now_s)
            oracle.takes[which][1] -= back
    meter.ready_s(0, now_s)  # what has flowed in meanwhile
    return now_s


@given(moves)
def test_hindsight(script: list[Any]) -> None:
    """What is given back counts exactly as if it had never been taken."""
    meter, oracle = Meter(1.0, 10.0, 0.0), Oracle(1.0, 10.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meter_module, "PEAKS_MAX", 1_000)
        now_s = play(meter, oracle, script)
    assert meter._content == pytest.approx(oracle.content(now_s), abs=1e-9)


@given(moves)
def test_a_short_memory_gives_back_less(script: list[Any]) -> None:
    """Where peaks are forgotten, the bucket is never fuller than in hindsight."""
    meter, oracle = Meter(1.0, 10.0, 0.0), Oracle(1.0, 10.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meter_module, "PEAKS_MAX", 1)
        now_s = play(meter, oracle, script)
    assert meter._content <= oracle.content(now_s) + 1e-9


def test_the_memory_is_bounded() -> None:
    """Ever lower peaks do not fill it."""
    meter = Meter(1e-9, 1_000.0, 0.0)
    for step in range(500):
        meter.take(1, float(step))
    assert len(meter._peaks) <= PEAKS_MAX


def test_what_was_lost_to_a_full_bucket_is_not_given_back() -> None:
    """Ten were taken and have flowed in again: giving them back adds nothing."""
    meter = Meter(1.0, 10.0, 0.0)
    meter.take(10, 0.0)
    meter.take(9, 9.0)
    meter.give_back(10, 0.0, 9.0)
    # It would have been full at 9 s in any case, and then have lost 9.
    assert meter.ready_s(1, 9.0) == 9.0
    assert meter.ready_s(2, 9.0) == 10.0


def test_two_that_are_given_back_count_together() -> None:
    """After the first, the bucket counts as having been fuller: it would have lost the second."""
    meter = Meter(1.0, 10.0, 0.0)
    meter.take(5, 0.0)
    meter.take(5, 0.0)
    meter.take(5, 5.0)
    meter.give_back(5, 0.0, 5.0)
    meter.give_back(5, 0.0, 5.0)
    assert meter.ready_s(5, 5.0) == 5.0
    assert meter.ready_s(6, 5.0) == 6.0


def test_a_forgotten_peak_leaves_its_height(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is merged counts as the higher one, at the later time."""
    monkeypatch.setattr(meter_module, "PEAKS_MAX", 1)
    meter = Meter(1.0, 10.0, 0.0)
    meter.take(1, 0.0)
    meter.take(5, 2.0)  # it was full
    meter.take(1, 3.0)
    meter.give_back(1, 0.0, 3.0)
    assert meter.ready_s(5, 3.0) == 3.0
    assert meter.ready_s(6, 3.0) == 4.0


def test_when_an_amount_is_there() -> None:
    """At the moment it has flowed in, and not a moment before."""
    meter = Meter(2.0, 10.0, 100.0)
    assert meter.ready_s(10, 100.0) == 100.0
    meter.take(10, 100.0)
    assert meter.ready_s(3, 100.0) == 101.5
    assert meter.ready_s(3, 101.499) > 101.499
    assert meter.ready_s(3, 101.5) == 101.5


@given(st.floats(1e-3, 1e9), st.floats(1.0, 1e6), st.floats(0, 1e7), st.integers(1, 1_000_000))
def test_one_who_sleeps_until_then_finds_it(
    per_s: float, capacity: float, now_s: float, amount: int
) -> None:
    """Rounding never makes the next look come too early for ever."""
    meter = Meter(per_s, max(capacity, amount), now_s)
    meter.take(int(meter.capacity), now_s)
    for _ in range(3):
        due_s = meter.ready_s(amount, now_s)
        if due_s <= now_s:
            break
        now_s = due_s
    assert meter.ready_s(amount, now_s) <= now_s


def test_what_is_held_is_there_for_one_only() -> None:
    """It fills its place: others wait for what flows in, and for ever if there is no room."""
    meter = Meter(1.0, 10.0, 0.0)
    meter.hold(6)
    assert meter.ready_s(4, 0.0) == 0.0
    assert meter.ready_s(5, 0.0) == math.inf
    assert meter.full_s(0.0) == math.inf
    meter.take(4, 0.0)
    assert meter.ready_s(4, 0.0) == 4.0
    meter.let_go(6)
    assert meter.ready_s(6, 0.0) == 0.0
    assert meter.full_s(0.0) == 4.0


def test_a_debt_is_bounded() -> None:
    """A count that a server made up stops the traffic for `DEBT_S_MAX`, not for ever."""
    meter = Meter(2.0, 10.0, 0.0)
    meter.charge(10**400, 0.0)
    assert meter.ready_s(0, 0.0) == pytest.approx(DEBT_S_MAX)


@pytest.mark.parametrize("per_s", [5e-324, 1e-300, 1.0, 1e300, 1.7e308])
@pytest.mark.parametrize("capacity", [1.0, 1e300, math.inf])
def test_extreme_rates_stay_numbers(per_s: float, capacity: float) -> None:
    """No rate that the configuration takes leads to NaN."""
    meter = Meter(per_s, capacity, 0.0)
    assert meter.capacity <= CAPACITY_MAX
    meter.take(int(meter.capacity), 0.0)
    meter.charge(10**30, 1.0)
    meter.give_back(1, 0.0, 1e12)
    for figure in (meter.ready_s(1, 1e12), meter.wait_s(10**9, 1e12), meter.full_s(1e12)):
        assert figure >= 0
