"""How long a place in line takes, by Little's law, and which deadlines are hopeless."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.actors.pool.service import DEVIATIONS, LEASE_WEIGHT, LEASES_MIN, MARGIN, Service


def service_of(*took_s: float) -> Service:
    """What is known after leases of these lengths."""
    service = Service()
    for each in took_s:
        service.ended(each)
    return service


@pytest.mark.parametrize(("leases", "wait_s"), [(0, 0.0), (LEASES_MIN - 1, 0.0), (LEASES_MIN, 2.0)])
def test_nothing_is_predicted_from_too_little(leases: int, wait_s: float) -> None:
    """One lease less than `LEASES_MIN` predicts no wait; with that many there is one."""
    service = service_of(*[4.0] * leases)
    assert service.wait_s(ahead=0, places=2) == wait_s


def test_the_wait_is_by_littles_law() -> None:
    """Places become free at `places / mean`: so many before it, and then its own."""
    service = service_of(*[4.0] * LEASES_MIN)
    assert service.wait_s(0, 1) == pytest.approx(4.0)
    assert service.wait_s(9, 1) == pytest.approx(40.0)
    assert service.wait_s(9, 8) == pytest.approx(5.0)


def test_without_places_it_is_as_with_one() -> None:
    """Where nothing runs the wait is finite."""
    service = service_of(*[4.0] * LEASES_MIN)
    assert service.wait_s(9, 0) == service.wait_s(9, 1)


def test_the_first_leases_count_alike() -> None:
    """The mean of the first twenty is their mean, whatever came first."""
    service = service_of(*range(1, 21))
    assert service.mean_s == pytest.approx(10.5)
    assert service.leases == 20


def test_later_ones_count_the_same_each() -> None:
    """After many, a new length moves the mean by its weight, and twenty make most of it."""
    service = service_of(*[1.0] * 500)
    service.ended(2.0)
    assert service.mean_s == pytest.approx(1.0 + LEASE_WEIGHT)
    for _ in range(60):
        service.ended(2.0)
    assert service.mean_s > 1.9


@pytest.mark.parametrize("left_s", [0.001, -1.0])
def test_no_deadline_is_hopeless_while_nothing_is_known(left_s: float) -> None:
    """A short deadline is given its chance until the length of leases is known."""
    service = service_of(*[100.0] * (LEASES_MIN - 1))
    assert not service.is_hopeless(1e9, left_s)
    service.ended(100.0)
    assert service.is_hopeless(0.0, left_s)


def test_without_a_deadline_nothing_is_hopeless() -> None:
    """However long it waits."""
    service = service_of(*[4.0] * LEASES_MIN)
    assert not service.is_hopeless(1e9, math.inf)


@pytest.mark.parametrize(
    ("beyond_s", "is_hopeless"), [(-0.001, False), (0.0, False), (0.001, True)]
)
def test_hopeless_is_beyond_the_margin(beyond_s: float, *, is_hopeless: bool) -> None:
    """Wait and answer together may take `MARGIN` times what is left, and not more."""
    service = service_of(*[4.0] * LEASES_MIN)
    left_s = 10.0
    wait_s = MARGIN * left_s - 4.0 + beyond_s
    assert service.is_hopeless(wait_s, left_s) is is_hopeless


def test_the_answer_itself_counts() -> None:
    """With no wait at all, an answer that takes far longer than is left is hopeless."""
    service = service_of(*[4.0] * LEASES_MIN)
    assert service.is_hopeless(0.0, 4.0 / MARGIN - 0.01)
    assert not service.is_hopeless(0.0, 4.0)


def test_too_late_leaves_time_for_long_answers() -> None:
    """Where all take as long the mean is needed; where they differ, so many deviations more."""
    alike, differing = service_of(*[4.0] * 100), service_of(*[2.0, 6.0] * 50)
    assert not alike.is_too_late(4.0 + 0.01)
    assert alike.is_too_late(4.0 - 0.01)
    needed_s = differing.mean_s + DEVIATIONS * differing.deviation_s
    assert needed_s == pytest.approx(4.0 + DEVIATIONS * 2.0, rel=0.1)
    assert not differing.is_too_late(needed_s)
    assert differing.is_too_late(needed_s - 0.001)


def test_nothing_is_too_late_while_nothing_is_known() -> None:
    """Nor ever without a deadline."""
    assert not service_of(*[4.0] * (LEASES_MIN - 1)).is_too_late(0.001)
    assert not service_of(*[4.0] * LEASES_MIN).is_too_late(math.inf)


def test_one_that_took_for_ever_spoils_nothing() -> None:
    """A lease of an hour among those of two seconds leaves deadlines of a minute their chance."""
    service = service_of(*[2.0] * 100)
    service.was_cut(3600.0, is_late=True)
    assert not service.is_hopeless(0.0, 60.0)
    assert not service.is_too_late(60.0)


def test_longer_ones_are_believed_when_they_go_on() -> None:
    """Where all take a hundred times as long from now on, the mean follows."""
    service = service_of(*[2.0] * 100, *[200.0] * 17)
    assert service.mean_s > 20.0


# ---- leases that were cut


@pytest.mark.parametrize("cut_s", [0.0, 1e-4, 5.0])
def test_cuts_before_the_first_answers_tell_nothing(cut_s: float) -> None:
    """Closed connections and readers who left: what is predicted then is as if they were not."""
    service = Service()
    for _ in range(LEASES_MIN):
        service.was_cut(cut_s, is_late=False)
    assert service.wait_s(100, 4) == 0.0
    assert not service.is_hopeless(0.0, 0.001)
    for _ in range(LEASES_MIN):
        service.ended(10.0)
    assert service == service_of(*[10.0] * LEASES_MIN)


def test_deadlines_that_were_too_short_do_not_hide_how_long_answers_take() -> None:
    """Ten that had no time at all say little, and nothing any more once ten answers are known."""
    service = Service()
    for _ in range(LEASES_MIN):
        service.was_cut(0.0, is_late=True)
    assert service.wait_s(100, 4) == 0.0
    for _ in range(LEASES_MIN):
        service.ended(10.0)
    assert service.wait_s(0, 1) == 10.0


def test_where_all_are_cut_at_their_deadlines_that_is_learnt() -> None:
    """Without a single answer, a line that leaves less than what they had is hopeless."""
    service = Service()
    for _ in range(LEASES_MIN - 1):
        service.was_cut(5.0, is_late=True)
    assert not service.is_hopeless(1.0, 5.0)
    service.was_cut(5.0, is_late=True)
    assert service.is_hopeless(1.0, 5.0)
    assert service.is_too_late(4.9)
    for _ in range(100):
        service.was_cut(8.0, is_late=True)
    assert service.is_hopeless(0.0, 7.0)


@given(st.lists(st.tuples(st.floats(0.0, 1e4), st.sampled_from(["answer", "late", "left"]))))
def test_no_cut_lowers_what_answers_have_told(leases: list[tuple[float, str]]) -> None:
    """The mean of any leases in any order never falls by one that was cut."""
    service = Service()
    for took_s, how in leases:
        before_s, known = service.mean_s, service.leases
        if how == "answer":
            service.ended(took_s)
            continue
        service.was_cut(took_s, is_late=how == "late")
        assert service.mean_s >= before_s
        assert known >= LEASES_MIN or service.leases == known


def test_answers_that_took_no_time_bind_nothing() -> None:
    """A mean of 0 is no bound for what counts as an outlier: longer ones are believed."""
    service = service_of(*[0.0] * 100, *[10.0] * 100)
    assert service.mean_s > 9.0
