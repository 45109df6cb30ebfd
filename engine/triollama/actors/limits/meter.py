"""A token bucket that knows what it may take back.

A `Meter` fills at `per_s` up to `capacity`. What is taken between t and t + w is never more than
``capacity + per_s * w``, whatever t and w are. Three things go beyond the textbook's bucket:

* An amount can be *held*: nobody else gets it, and it still fills its place in the bucket, so that
  a request may have it from one bucket while it waits for another, and takes all in one moment.
* An amount can be given back when less was used than taken. Not all of it counts: had it never been
  taken, the bucket might have been full meanwhile and have lost it. So the meter remembers how full
  it was (`_peaks`), and takes back what would still be there.
* More may have been used than taken. Then the bucket owes, for at most `DEBT_S_MAX`.

Pure: the time is an argument. Amounts are whole numbers, so holding is exact.
"""

from __future__ import annotations

import math

CAPACITY_MAX = 1e15
"""For amounts, and for amounts a second: beyond 9e15 a float does not count single tokens."""

PER_S_MIN = 1e-9
"""One in thirty years; what is less may be 0 by rounding, and is as good as nothing."""

DEBT_S_MAX = 600.0
"""For how long one bad count, which comes from a server, can stop the traffic, in seconds."""

PEAKS_MAX = 16
"""How many peaks are remembered; older ones are merged, which gives back less, never more."""


class Meter:
    """One bucket, full at first.

    Args:
        per_s: how much flows in, per second.
        capacity: the most that it holds.
        now_s: the time.
    """

    __slots__ = ("_at_s", "_content", "_held", "_peaks", "capacity", "per_s")

    def __init__(self, per_s: float, capacity: float, now_s: float) -> None:
        self.per_s = min(max(per_s, PER_S_MIN), CAPACITY_MAX)
        self.capacity = min(capacity, CAPACITY_MAX)
        self._at_s = now_s
        self._content = self.capacity
        self._held = 0
        # When the bucket was how full just before it lost some; only ever what matters later.
        self._peaks: list[tuple[float, float]] = []

    def ready_s(self, amount: int, now_s: float) -> float:
        """From when on `amount` is there; infinite while what is held leaves no room for it.

        It can be had now if that is not later than `now_s`. The comparison is made on times, so
        that one who sleeps until then finds it there, whatever the rounding.
        """
        if now_s > self._at_s:  # asked here too, since most of a request's cost is such calls
            self._refill(now_s)
        missing = amount + self._held - self._content
        if missing <= 0:
            return self._at_s
        if amount + self._held > self.capacity:
            return math.inf
        return self._at_s + missing / self.per_s

    def wait_s(self, amount: int, now_s: float) -> float:
        """How long until `amount`, which may be more than fits, has flowed in beyond what is held.

        Counted from `now_s`; 0 if it is there.
        """
        self._refill(now_s)
        missing = amount + self._held - self._content
        return max(self._at_s - now_s, 0.0) + max(missing, 0.0) / self.per_s

    def full_s(self, now_s: float) -> float:
        """From when on it is as if it had never been used; infinite while some of it is held."""
        if self._held:
            return math.inf
        self._refill(now_s)
        return self._at_s + (self.capacity - self._content) / self.per_s

    def hold(self, amount: int) -> None:
        """Keep an amount that is there for somebody."""
        self._held += amount

    def let_go(self, amount: int) -> None:
        """The end of `hold`, with nothing taken."""
        self._held -= amount
        assert self._held >= 0

    def take(self, amount: int, at_s: float) -> None:
        """Take an amount that is there at `at_s`, which may lie ahead if nothing is held."""
        if at_s > self._at_s:
            self._refill(at_s)
        self._lose(amount)

    def charge(self, amount: int, now_s: float) -> None:
        """Take what was used already, there or not."""
        self._refill(now_s)
        owed_max = max(self._content, 0.0) + self.per_s * DEBT_S_MAX
        self._lose(min(amount, owed_max))

    def give_back(self, amount: int, since_s: float, now_s: float) -> None:
        """Put back an amount taken at `since_s`, as far as it would still be there."""
        self._refill(now_s)
        highest = self._content
        for at_s, peak in self._peaks:
            if at_s > since_s and peak > highest:
                highest = peak
        back = min(amount, self.capacity - highest)
        if back <= 0:
            return
        self._content += back
        # From then on the bucket counts as having been that much fuller.
        self._peaks = [(at, peak + back if at > since_s else peak) for at, peak in self._peaks]

    def _refill(self, now_s: float) -> None:
        if now_s > self._at_s:
            filled = self._content + (now_s - self._at_s) * self.per_s
            self._content = filled if filled < self.capacity else self.capacity
            self._at_s = now_s

    def _lose(self, amount: float) -> None:
        peaks, content = self._peaks, self._content
        while peaks and peaks[-1][1] <= content:
            peaks.pop()
        peaks.append((self._at_s, content))
        if len(peaks) > PEAKS_MAX:
            (_, oldest), (at_s, older) = peaks[:2]
            peaks[:2] = [(at_s, max(oldest, older))]
        self._content = content - amount
