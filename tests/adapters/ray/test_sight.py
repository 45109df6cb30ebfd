"""What workers see of their servers, put together."""

from __future__ import annotations

from triollama_adapters.batch.work.capacity import EndpointLook
from triollama_adapters.ray.sight import Looks, Seen, room_of


def look(name: str, slots: int | None = 4, *, is_in_service: bool = True) -> EndpointLook:
    """A server with so many slots; None: not learnt yet."""
    return EndpointLook(name, is_in_service, {"m": slots} if slots is not None else {})


def test_a_worker_can_use_its_slots_and_some() -> None:
    """Two rows for each server wait in the engine's line, or one for four slots."""
    assert room_of(Seen((look("a", 4), look("b", 8)), (0, 0))) == 16
    assert room_of(Seen((look("a", 64),), (0,))) == 80
    assert room_of(Seen((look("a", None),), (0,))) == 6


def test_a_server_out_of_service_has_no_slots() -> None:
    """Unless there is no other."""
    away = look("b", 8, is_in_service=False)
    assert room_of(Seen((look("a", 4), away), (0, 0))) == 6
    assert room_of(Seen((away,), (0,))) == 10


def test_each_worker_counts_for_itself() -> None:
    """The job sees a server once for each worker, and people see it once."""
    looks = Looks()
    looks.take("1.1", Seen((look("a", 4), look("b", 2)), (3, 1)))
    looks.take("2.1", Seen((look("a", 5),), (4,)))
    names = [each.name for each in looks.look()]
    assert names == ["a from worker 1.1", "b from worker 1.1", "a from worker 2.1"]
    lanes = looks.by_endpoint()
    assert {name: count for name, (count, _) in lanes.items()} == {"a": 7, "b": 1}
    looks.forget("1.1")
    assert list(looks.by_endpoint()) == ["a"]
