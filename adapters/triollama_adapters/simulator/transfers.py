"""How far something is, and layers on their way from the registry and to it.

Owns the rule of ``ollama-api.md`` §2.8: two pulls of one layer share its transfer and report the
same progress; when the last of them leaves, the transfer stops and what came is kept. How far a
thing is follows from the time, so nothing is due while it runs.
"""

from __future__ import annotations

from math import inf

from .layers import Layer

__all__ = ["Progress", "Transfer", "Transfers"]


class Progress:
    """Something that goes on at a steady pace, and may stand still once.

    Args:
        size: how much there is to do.
        per_s: how much is done in a second.
        now: the caller's clock.
        done: how much was done before.
    """

    def __init__(self, size: float, per_s: float, now: float, *, done: float = 0.0) -> None:
        self._size = size
        self._per_s = per_s
        self._done = done
        self._since = now
        self._pause_at = inf
        self._pause_s = 0.0

    def pause(self, at: float, seconds: float) -> None:
        """Stand still for so many seconds (`math.inf` is for ever) once so much is done."""
        self._pause_at = max(self._done, min(at, self._size))
        self._pause_s = seconds

    def completed(self, now: float) -> int:
        """How much is done."""
        if now >= self.when(self._size):
            return int(self._size)
        done = self._done + (now - self._since) * self._per_s
        if done > self._pause_at:
            done = max(self._pause_at, done - self._pause_s * self._per_s)
        return int(min(done, self._size))

    def when(self, completed: float) -> float:
        """When so much is done; a pause at the very end is part of the whole."""
        at = self._since + max(0.0, completed - self._done) / self._per_s
        if completed > self._pause_at or completed >= self._size >= self._pause_at:
            at += self._pause_s
        return at

    @property
    def due(self) -> float:
        """When all is done; infinity if it stands still for ever."""
        return self.when(self._size)


class Transfer(Progress):
    """One layer on its way.

    Attributes:
        layer: which.
        waiting: how many wait for it.
        began_with: bytes that came before.

    Args:
        layer: which.
        bytes_per_s: how fast it comes.
        now: the caller's clock.
        done: bytes that came before.
    """

    def __init__(self, layer: Layer, bytes_per_s: float, now: float, *, done: int) -> None:
        super().__init__(layer.size, bytes_per_s, now, done=done)
        self.layer = layer
        self.waiting = 0
        self.began_with = done


class Transfers:
    """All layers on their way in one direction, and what came of those that were given up.

    Attributes:
        bytes_moved: bytes that have come in transfers that are over, each counted once.

    Args:
        bytes_per_s: how fast each comes.
    """

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._running: dict[str, Transfer] = {}
        self._kept: dict[str, int] = {}
        self.bytes_moved = 0

    def __len__(self) -> int:
        return len(self._running)

    def join(self, layer: Layer, now: float) -> Transfer:
        """Wait for a layer: with those who do already, or from where it was given up."""
        transfer = self._running.get(layer.digest)
        if transfer is None:
            done = self._kept.pop(layer.digest, 0)
            transfer = Transfer(layer, self._bytes_per_s, now, done=done)
            self._running[layer.digest] = transfer
        transfer.waiting += 1
        return transfer

    def leave(self, transfer: Transfer, now: float) -> None:
        """Wait no more. The last one to leave stops it; what came is kept for the next."""
        transfer.waiting -= 1
        if transfer.waiting:
            return
        del self._running[transfer.layer.digest]
        completed = transfer.completed(now)
        self.bytes_moved += completed - transfer.began_with
        if completed < transfer.layer.size:
            self._kept[transfer.layer.digest] = completed

    def reset(self) -> None:
        """Forget what was kept, and the count; nobody waits any more."""
        self._kept.clear()
        self.bytes_moved = 0
