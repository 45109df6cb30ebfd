"""The ring that says when each stream's next chunk is due."""

from itertools import pairwise

from benchmarks.load_server.schedule import Ring


def due(ring: Ring[str], elapsed_s: float) -> list[str]:
    """Whose turns came."""
    return [member for _, member in ring.take_turns(elapsed_s)]


def full_ring() -> Ring[str]:
    """Four streams, each due once per second, a quarter of a second apart."""
    ring: Ring[str] = Ring(4, 1.0)
    assert [ring.join(name) for name in "abcd"] == [0, 1, 2, 3]
    return ring


def test_turns_come_one_after_the_other_at_even_distances() -> None:
    """Each member is due once per interval, staggered evenly."""
    ring = full_ring()
    assert [due(ring, step * 0.25) for step in range(6)] == [
        [],
        ["a"],
        ["b"],
        ["c"],
        ["d"],
        ["a"],
    ]


def test_next_due_is_when_the_next_turn_comes() -> None:
    """The time to wait for is exactly that of the next turn."""
    ring = full_ring()
    assert due(ring, 0.3) == ["a"]
    assert ring.next_due_s() == 0.5
    assert due(ring, 0.5) == ["b"]


def test_a_late_caller_gets_one_round_and_no_more() -> None:
    """A server that stalled sends each stream its next chunk once, and does not catch up."""
    ring = full_ring()
    assert sorted(due(ring, 10.0)) == ["a", "b", "c", "d"]
    assert due(ring, 10.25) == ["a"]


def test_a_place_is_reused_and_a_full_ring_refuses() -> None:
    """The place of one that left goes to the next; without one the newcomer is told so."""
    ring = full_ring()
    assert ring.join("e") is None
    ring.leave(2)
    assert ring.join("e") == 2
    assert due(ring, 1.0) == ["a", "b", "e", "d"]


def test_an_empty_place_has_no_turn() -> None:
    """Places without a member are passed over in silence."""
    ring: Ring[str] = Ring(4, 1.0)
    ring.join("a")
    assert due(ring, 1.0) == ["a"]


def test_a_turn_comes_with_the_time_at_which_it_was_due() -> None:
    """How late a chunk is can be told, whenever its turn is taken."""
    ring = full_ring()
    assert ring.take_turns(0.8) == [(0.25, "a"), (0.5, "b"), (0.75, "c")]
    assert ring.take_turns(1.3) == [(1.0, "d"), (1.25, "a")]


def test_a_ring_counts_its_members() -> None:
    """Who comes is counted, who leaves is not any more."""
    ring = full_ring()
    ring.leave(1)
    assert ring.count == 3


def test_scattered_places_are_far_apart() -> None:
    """Who joins next gets a place elsewhere on the ring; each is given once."""
    ring: Ring[int] = Ring(100, 1.0, is_scattered=True)
    places = [ring.join(member) for member in range(100)]
    assert sorted(place for place in places if place is not None) == list(range(100))
    apart = [abs((after or 0) - (before or 0)) for before, after in pairwise(places)]
    assert min(apart) > 20
