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
class Mean:
    """A mean of lengths in which the latest ones count most.

    Attributes:
        leases: how many there were.
        mean_s: their mean length, in seconds.
        deviation_s: how far they are from it in the mean, in seconds.
    """

    leases: int = 0
    mean_s: float = 0.0
    deviation_s: float = 0.0

    def count(self, took_s: float) -> None:
        """One more."""
        self.leases += 1
        weight = max(1.0 / self.leases, LEASE_WEIGHT)
        self.deviation_s += weight * (abs(took_s - self.mean_s) - self.deviation_s)
        self.mean_s += weight * (took_s - self.mean_s)


@attrs.define
class Service(Mean):
    """The mean length of a lease: of those with an answer, and of longer ones without.

    Attributes:
        least: of all that had their time, with an answer or without, until there are enough of
            those with one: what they took at least.
    """

    least: Mean = attrs.field(factory=Mean)

    def ended(self, took_s: float) -> None:
        """A lease has ended with an answer."""
        if self.leases < LEASES_MIN:
            self.least.count(took_s)
        elif self.mean_s > 0.0:  # four times nothing is no bound
            took_s = min(took_s, OUTLIER * self.mean_s)
        self.count(took_s)

    def was_cut(self, took_s: float, *, is_late: bool) -> None:
        """A lease has ended before the answer did, which would have taken longer still.

        It counts if it was longer than they are in the mean: so it raises that, and never lowers
        it. While there are too few answers it counts apart, as the least that one takes, and only
        if it had all of its time. Else nothing would be learnt where all are cut at their
        deadlines. A connection that was closed already, or a reader who left, tells nothing.

        Args:
            took_s: how long it lasted, in seconds.
            is_late: whether its deadline had come.
        """
        if self.leases >= LEASES_MIN:
            if took_s > self.mean_s:
                self.ended(took_s)
        elif is_late and (took_s > self.least.mean_s or self.least.leases < LEASES_MIN):
            self.least.count(took_s)

    @property
    def known(self) -> Mean | None:
        """What is predicted from; None while there is too little."""
        found = self if self.leases >= LEASES_MIN else self.least
        return found if found.leases >= LEASES_MIN else None

    def wait_s(self, ahead: int, places: int) -> float:
        """How long until so many have got a place, and one more, in seconds; 0 if unknown.

        By Little's law places become free at a rate of `places` per mean length.

        Args:
            ahead: how many are before it.
            places: leases that run.
        """
        known = self.known
        return 0.0 if known is None else (ahead + 1) * known.mean_s / max(places, 1)

    def is_hopeless(self, wait_s: float, left_s: float) -> bool:
        """Whether an answer will come too late by far.

        Args:
            wait_s: how long it waits for a place.
            left_s: how long it may take together.
        """
        known = self.known
        if known is None or left_s == math.inf:
            return False
        return wait_s + known.mean_s > MARGIN * left_s

    def is_too_late(self, left_s: float) -> bool:
        """Whether an answer that begins now may well come too late.

        Args:
            left_s: how long it may take.
        """
        known = self.known
        return known is not None and left_s < known.mean_s + DEVIATIONS * known.deviation_s
