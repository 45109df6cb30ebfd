"""What all workers together see of their servers, for the job that follows these. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from triollama_adapters.batch.work.capacity import EndpointLook

__all__ = ["Looks", "Seen", "room_of"]

SLOTS_FIRST: Final = 4
"""As the engine: what it sends to a server that it does not know yet."""

OVERHANG: Final = 4
"""One row for so many slots waits in the line of a worker's engine, at least two for each server:
more than in one process, because a new row comes some 30 ms later."""


@attrs.frozen
class Seen:
    """What a worker sees.

    Attributes:
        looks: its servers.
        in_flight: how many requests each of them has from it, in the same order.
    """

    looks: tuple[EndpointLook, ...]
    in_flight: tuple[int, ...]


def room_of(seen: Seen) -> int:
    """How many rows a worker can use at once."""
    looks = [each for each in seen.looks if each.is_in_service] or seen.looks
    slots = sum(
        min(each.in_flight_max, max(each.slots.values(), default=SLOTS_FIRST)) for each in looks
    )
    return max(1, slots + max(2 * len(looks), slots // OVERHANG))


class Looks:
    """The servers as the job sees them: those of each worker for themselves.

    A server that several workers ask counts with what each of them has learnt of it: which is what
    it has left for this one.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def take(self, worker: str, seen: Seen) -> None:
        """A worker has looked."""
        self._seen[worker] = seen

    def forget(self, worker: str) -> None:
        """A worker is lost."""
        self._seen.pop(worker, None)

    def look(self) -> list[EndpointLook]:
        """All of them, now, under names that are different for each worker. Never waits."""
        return [
            attrs.evolve(each, name=f"{each.name} from worker {worker}")
            for worker, seen in self._seen.items()
            for each in seen.looks
        ]

    async def learn_models(self) -> None:
        """Nothing: workers have asked, and tell it with each look."""

    def by_endpoint(self) -> dict[str, tuple[int, Sequence[EndpointLook]]]:
        """Each server's requests from all workers, and what these see of it."""
        found: dict[str, tuple[int, list[EndpointLook]]] = {}
        for seen in self._seen.values():
            for look, in_flight in zip(seen.looks, seen.in_flight, strict=True):
                count, looks = found.get(look.name, (0, []))
                found[look.name] = (count + in_flight, [*looks, look])
        return {name: found[name] for name in sorted(found)}
