"""When each stream's next chunk is due: a ring of places, evenly staggered. No IO, no clock."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, without their whole parts, are as far from each other as they can be."""


class Ring(Generic[T]):
    """Places whose turns come round once per interval, one after the other.

    Turn ``k`` belongs to place ``k mod places`` and is due at ``k * interval_s / places`` after the
    start. So what is due by a time is one multiplication, whatever the number of streams, and the
    phases are staggered as evenly as they can be.

    Args:
        places: How many.
        interval_s: How long a round takes, in seconds.
        is_scattered: Whether members that join one after the other get places far apart. Else those
            that join within a round are neighbours, and if they end, they end together.
    """

    def __init__(self, places: int, interval_s: float, *, is_scattered: bool = False) -> None:
        self.turns_per_s = places / interval_s
        self._places: list[T | None] = [None] * places
        self._free = list(range(places - 1, -1, -1))
        if is_scattered:
            self._free.sort(key=lambda place: place * GOLDEN % 1)
        self._turn = 0

    @property
    def count(self) -> int:
        """Places that are taken."""
        return len(self._places) - len(self._free)

    def join(self, member: T) -> int | None:
        """Give a member the next free place; return it, or ``None`` when all are taken."""
        if not self._free:
            return None
        place = self._free.pop()
        self._places[place] = member
        return place

    def leave(self, place: int) -> None:
        """Free a place."""
        self._places[place] = None
        self._free.append(place)

    def take_turns(self, elapsed_s: float) -> list[tuple[float, T]]:
        """Return whose turns came since the last call, in their order, each with when it was due.

        A caller that comes late gets at most one round: an Ollama that falls behind sends its next
        token late, it does not send two at once.

        Args:
            elapsed_s: Time since the start, in seconds, as the times that are returned.
        """
        due = int(elapsed_s * self.turns_per_s)
        places, count, each_s = self._places, len(self._places), 1 / self.turns_per_s
        first = max(self._turn, due - count)
        self._turn = max(self._turn, due)
        return [
            ((turn + 1) * each_s, member)
            for turn in range(first, due)
            if (member := places[turn % count]) is not None
        ]

    def next_due_s(self) -> float:
        """Return when the next turn is due, in seconds since the start."""
        return (self._turn + 1) / self.turns_per_s
