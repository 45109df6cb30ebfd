"""How long a place in line takes, by Little's law, and which deadlines are hopeless."""

from __future__ import annotations

import math

import pytest

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
    service.was_cut(3600.0)
    assert not service.is_hopeless(0.0, 60.0)
    assert not service.is_too_late(60.0)


def test_longer_ones_are_believed_when_they_go_on() -> None:
    """Where all take a hundred times as long from now on, the mean follows."""
    service = service_of(*[2.0] * 100, *[200.0] * 17)
    assert service.mean_s > 20.0
