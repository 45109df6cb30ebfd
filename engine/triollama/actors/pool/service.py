"""How long leases last, and from that how long a place in line will take. Pure."""

from __future__ import annotations

import math

import attrs

LEASES_MIN = 10
"""Leases that must have ended before anything is predicted from them."""

LEASE_WEIGHT = 0.05
"""What the latest lease counts: about the last twenty do."""

OUTLIER = 4.0
"""A lease counts as this many times the mean at most: one that took an hour must not make all
others look hopeless. When all take longer from now on, seventeen still raise the mean tenfold."""

MARGIN = 1.0
"""A request is refused as hopeless when it would take this many times as long as it may."""

DEVIATIONS = 2.0
"""Mean deviations above the mean that an answer is given time for: nine of ten exponentially
distributed ones take no longer, and all of evenly distributed ones."""


@attrs.define
class Service:
    """The mean length of a lease.

    Attributes:
        leases: how many have ended.
        mean_s: their mean length, in seconds.
        deviation_s: how far they are from it in the mean, in seconds.
    """

    leases: int = 0
    mean_s: float = 0.0
    deviation_s: float = 0.0

    def ended(self, took_s: float) -> None:
        """A lease has ended with an answer."""
        if self.leases >= LEASES_MIN:
            took_s = min(took_s, OUTLIER * self.mean_s)
        self.leases += 1
        weight = max(1.0 / self.leases, LEASE_WEIGHT)
        self.deviation_s += weight * (abs(took_s - self.mean_s) - self.deviation_s)
        self.mean_s += weight * (took_s - self.mean_s)

    def was_cut(self, took_s: float) -> None:
        """A lease has ended before the answer did, which would have taken longer still.

        It counts if it was longer than they are in the mean, or little is known. Else nothing would
        be learnt where all are cut at their deadlines.
        """
        if took_s > self.mean_s or self.leases < LEASES_MIN:
            self.ended(took_s)

    def wait_s(self, ahead: int, places: int) -> float:
        """How long until so many have got a place, and one more, in seconds; 0 if unknown.

        By Little's law places become free at a rate of `places` per mean length.

        Args:
            ahead: how many are before it.
            places: leases that run.
        """
        if self.leases < LEASES_MIN:
            return 0.0
        return (ahead + 1) * self.mean_s / max(places, 1)

    def is_hopeless(self, wait_s: float, left_s: float) -> bool:
        """Whether an answer will come too late by far.

        Args:
            wait_s: how long it waits for a place.
            left_s: how long it may take together.
        """
        if self.leases < LEASES_MIN or left_s == math.inf:
            return False
        return wait_s + self.mean_s > MARGIN * left_s

    def is_too_late(self, left_s: float) -> bool:
        """Whether an answer that begins now may well come too late.

        Args:
            left_s: how long it may take.
        """
        needed_s = self.mean_s + DEVIATIONS * self.deviation_s
        return self.leases >= LEASES_MIN and left_s < needed_s
