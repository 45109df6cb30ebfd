"""How busy the processes of the load tester were. No IO."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

__all__ = ["BUSY_S", "Busy", "StoredBusy"]

BUSY_S: Final = 5.0
"""For so long a process may be above the limit (the metrics' page)."""

_NS: Final = 1_000_000_000


class StoredBusy(msgspec.Struct):
    """What is known of one process.

    Attributes:
        used_ns: CPU time since the first look.
        ran_ns: time since the first look.
        most_whole: the greatest share of a core over `BUSY_S`; 0 if it did not run for so long.
        most_half: the same over half of that.
    """

    used_ns: int = 0
    ran_ns: int = 0
    most_whole: float = 0.0
    most_half: float = 0.0


class Busy:
    """Looks at one process."""

    __slots__ = ("_first", "_looks", "found")

    def __init__(self, found: StoredBusy | None = None) -> None:
        self.found = found or StoredBusy()
        self._looks: deque[tuple[int, int]] = deque()
        self._first: tuple[int, int] | None = None

    def look(self, at_ns: int, cpu_ns: int) -> None:
        """Take a look; never earlier than the one before.

        Args:
            at_ns: now.
            cpu_ns: CPU time used so far.
        """
        looks, found = self._looks, self.found
        looks.append((at_ns, cpu_ns))
        if self._first is None:
            self._first = (at_ns, cpu_ns)
        found.ran_ns, found.used_ns = at_ns - self._first[0], cpu_ns - self._first[1]
        whole_ns = round(BUSY_S * _NS)
        while len(looks) > 1 and at_ns - looks[1][0] >= whole_ns:
            looks.popleft()
        found.most_whole = max(found.most_whole, self._share(at_ns, cpu_ns, whole_ns))
        found.most_half = max(found.most_half, self._share(at_ns, cpu_ns, whole_ns // 2))

    def _share(self, at_ns: int, cpu_ns: int, span_ns: int) -> float:
        """Since the last look that is at least so long ago; 0 without one."""
        for then_ns, then_cpu_ns in reversed(self._looks):
            if at_ns - then_ns >= span_ns:
                return (cpu_ns - then_cpu_ns) / (at_ns - then_ns)
        return 0.0

    def merge(self, other: Busy) -> None:
        """Take what another one saw of the same process, at another time."""
        mine, its = self.found, other.found
        mine.used_ns += its.used_ns
        mine.ran_ns += its.ran_ns
        mine.most_whole = max(mine.most_whole, its.most_whole)
        mine.most_half = max(mine.most_half, its.most_half)
