"""Faults of the bytes: a wire that is cut at a byte, that stands still, or that drips.

Owns a queue between a response and the real wire. The queue is bounded as a socket's buffer is:
when it is long, the generation behind it is told to stop, as Ollama's flush would block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from .agenda import Agenda, Timer
from .response import Ending

if TYPE_CHECKING:
    from .exchange import Exchange

__all__ = ["FaultyWire"]

_QUEUE_BYTES_HIGH = 64 * 1024
"""Where the generation is told to stop: about what a kernel's send buffer holds before it grows."""
_SEGMENT_BYTES = 64 * 1024
_DRIP_S = 0.05
"""Seconds between drips: fine enough to look continuous, coarse enough to cost nothing."""


class FaultyWire:
    """A wire with faults.

    Args:
        wire: the exchange, whose own wire is the real one.
        agenda: where the ends of pauses are noted.
        clock: gives the time of the step under way.
        on_full: called with true when the queue is long, with false when it is short again.
        reset_after_bytes: reset the connection after so many bytes; None never.
        bytes_per_s: send no faster; None is without limit.
    """

    def __init__(
        self,
        wire: Exchange,
        agenda: Agenda,
        clock: Callable[[], float],
        on_full: Callable[[bool], None],
        *,
        reset_after_bytes: int | None = None,
        bytes_per_s: float | None = None,
    ) -> None:
        self._wire = wire
        self._agenda = agenda
        self._clock = clock
        self._on_full = on_full
        self._left = inf if reset_after_bytes is None else reset_after_bytes
        self._bytes_per_s = bytes_per_s
        self._queue: deque[bytes | int] = deque()  # a number is so much filler
        self._queued = 0
        self._is_full = False
        self._held = False
        self._paused = False
        self._timer: Timer | None = None
        self._ending: Ending | None = None
        self._over = False

    def write(self, data: bytes) -> None:
        """Send bytes, as far as the fault lets them through now."""
        self._queue.append(data)
        self._queued += len(data)
        self._drain()

    def write_filler(self, size: int) -> None:
        """Send so many letters, without ever holding them all in memory."""
        self._queue.append(size)
        self._queued += size
        self._drain()

    def finish(self, ending: Ending) -> None:
        """End the response once all has been sent; a reset or refusal comes at once."""
        if ending in {Ending.RESET, Ending.REFUSE}:
            self._end(ending)
        else:
            self._ending = ending
            self._drain()

    def hold(self, seconds: float | None) -> None:
        """Send nothing for so many seconds; None is for ever."""
        self._held = True
        if seconds is not None:
            due = self._clock() + seconds
            self._timer = self._agenda.call_at(due, self._release, owner=self._wire)

    def pause(self) -> None:
        """The client does not read: send nothing until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """The client reads again."""
        self._paused = False
        self._drain()

    def abandon(self) -> None:
        """The client has gone: drop everything."""
        self._over = True
        self._queue.clear()
        self._queued = 0
        if self._timer is not None:
            self._timer.cancel()

    def _release(self, _now: float) -> None:
        self._held = False
        self._timer = None
        self._drain()

    def _drain(self) -> None:
        """Send what may be sent; tell the generation whether it may go on."""
        while self._queue and not (self._over or self._held or self._paused):
            self._send(self._take())
        if self._over:
            return
        is_full = self._queued > _QUEUE_BYTES_HIGH
        if is_full != self._is_full:
            self._is_full = is_full
            self._on_full(is_full)
        if self._ending is not None and not (self._queue or self._held):
            self._end(self._ending)

    def _take(self) -> bytes:
        """Take the next segment off the queue, no larger than may be sent at once."""
        drip = self._bytes_per_s
        share = _SEGMENT_BYTES if drip is None else max(1, int(drip * _DRIP_S))
        first = self._queue.popleft()
        size = first if isinstance(first, int) else len(first)
        if isinstance(first, int) or drip is not None:
            # The rest waits for a later step: a drip by its rate, filler to give others a turn.
            self.hold(0.0 if drip is None else _DRIP_S)
            if size > share:
                self._queue.appendleft(size - share if isinstance(first, int) else first[share:])
        else:
            share = size
        self._queued -= min(size, share)
        return b"x" * min(size, share) if isinstance(first, int) else first[:share]

    def _send(self, data: bytes) -> None:
        """Pass a segment on, up to the byte of the reset."""
        if len(data) < self._left:
            self._left -= len(data)
            self._wire.write(data)
            return
        if self._left:
            self._wire.write(data[: int(self._left)])
        self._end(Ending.RESET)

    def _end(self, ending: Ending) -> None:
        if not self._over:
            self.abandon()
            self._wire.finish(ending)
