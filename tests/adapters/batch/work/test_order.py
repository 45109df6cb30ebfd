"""Outcomes in the order of the input."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.work.order import InOrder


@given(st.permutations(range(12)))
def test_each_comes_once_and_in_its_turn(places: list[int]) -> None:
    """However they come, they are given on in order, as soon as that is possible."""
    order: InOrder[int] = InOrder(is_kept=True)
    given: list[int] = []
    for count, place in enumerate(places, 1):
        given += order.add(place, place)
        assert given == list(range(len(given)))
        assert len(given) not in places[:count]
    assert given == list(range(12))


def test_without_order_nothing_is_held_back() -> None:
    """Each is given on at once."""
    order: InOrder[str] = InOrder(is_kept=False)
    assert order.add(7, "a") == ["a"]
    assert order.add(3, "b") == ["b"]
