"""How many bytes a job has in its hands: rows that wait, and outcomes that are not kept yet."""

from __future__ import annotations

import trio

__all__ = ["Room"]


class Room:
    """Counts bytes, and holds up who would add some while there are too many.

    Who adds a row waits first; what has an outcome is never held up. So what is held is `bytes_max`
    and a row, and what answers are longer than their rows, of the rows that were waiting then.

    Args:
        bytes_max: from so many on, `wait` waits.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held = 0
        self._lot = trio.lowlevel.ParkingLot()

    async def wait(self) -> None:
        """Wait until there is room. May be cancelled."""
        while self._held >= self._bytes_max:
            await self._lot.park()

    def take(self, size: int) -> None:
        """Hold so many bytes more."""
        self._held += size

    def give_back(self, size: int) -> None:
        """Hold so many bytes less."""
        self._held -= size
        if self._held < self._bytes_max:
            self._lot.unpark_all()
