"""How often a request may be sent again, and when: a retry budget, and backoff with full jitter.

Owns: the balance of one engine. Accepts: requests, and asks to send one again. Bounded by: a share
of the requests, a floor, and `BALANCE_MAX`. Pure: the time and random numbers are arguments.

A count per request multiplies the load just when every server fails. A budget does not: whatever
fails, attempts are at most (1 + ratio) times requests + what the floor gives.
"""

from __future__ import annotations

import attrs

RATIO = 0.2
"""Retries per request. Envoy's retry budget and Finagle's both take 20 %."""

FLOOR = 3
"""Retries that are allowed at any rate of requests: a lone request may be sent again. Envoy's
minimum."""

FLOOR_S = 10.0
"""In which time the floor is filled again, in seconds. Finagle counts over the same window."""

BALANCE_MAX = 100.0
"""Retries that can be saved up. A quiet day must not pay for a storm; but one server of a busy
fleet that dies with its requests still unanswered should not find the budget empty."""

BACKOFF_S = 0.05
"""The longest wait after the first failure, in seconds; doubled with each more. At first it only
has to part the requests of one burst."""

BACKOFF_S_MAX = 5.0
"""The longest wait after any failure, in seconds. A reader waits behind it."""

_DOUBLINGS_MAX = 10


@attrs.define(on_setattr=attrs.setters.NO_OP)
class RetryBudget:
    """What may be spent on sending requests again.

    A request pays in `ratio`, a retry takes out 1. Under the floor the balance rises by itself, as
    far as the requests do not pay as much: it is the larger of the two, not their sum.

    Args:
        ratio: retries per request.
        floor: retries that are always allowed, per `FLOOR_S`.

    Attributes:
        spent: retries allowed so far.
        denied: retries refused so far.
    """

    _ratio: float = attrs.field(default=RATIO, alias="ratio")
    _floor: float = attrs.field(default=FLOOR, alias="floor", converter=float)
    spent: int = attrs.field(default=0, init=False)
    denied: int = attrs.field(default=0, init=False)
    _balance: float = attrs.field(init=False)
    _filled_s: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        assert self._ratio >= 0.0
        assert 0.0 <= self._floor <= BALANCE_MAX
        self._balance = self._floor

    def on_request(self, now_s: float) -> None:
        """A request came in. To be called once per request, not for its retries."""
        filled_s = self._fill(now_s)
        self._balance = min(self._balance + self._ratio, BALANCE_MAX)
        if self._floor:
            # What it pays is paid for the floor, too, for as long as that would have taken.
            ahead_s = self._ratio * FLOOR_S / self._floor
            self._filled_s = min(filled_s + ahead_s, now_s + FLOOR_S)

    def try_spend(self, now_s: float) -> bool:
        """Take one retry out of the budget; False if it is empty."""
        self._fill(now_s)
        # Five times 0.2 is 1, for floats too late by a hair.
        if self._balance < 1.0 - 1e-9:
            self.denied += 1
            return False
        self._balance = max(self._balance - 1.0, 0.0)
        self.spent += 1
        return True

    def balance(self, now_s: float) -> float:
        """Retries that can be made now, as a number with a fraction."""
        self._fill(now_s)
        return self._balance

    def _fill(self, now_s: float) -> float:
        """Fill up to the floor, and no further; until when that is paid for."""
        filled_s = now_s if self._filled_s is None else self._filled_s
        if filled_s > now_s:
            return filled_s
        if self._balance < self._floor:
            risen = self._balance + (now_s - filled_s) * self._floor / FLOOR_S
            self._balance = min(risen, self._floor)
        self._filled_s = now_s
        return now_s


def backoff_s(failures: int, draw: float) -> float:
    """How long to wait before sending again, in seconds: full jitter.

    Anything between nothing and `BACKOFF_S` times 2 ^ (failures - 1), at most `BACKOFF_S_MAX`.
    Spreading over the whole range ends a burst of retries soonest (Brooker, "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015).

    Args:
        failures: failed attempts so far, at least 1.
        draw: a random number in [0, 1).
    """
    assert failures >= 1
    doublings = min(failures - 1, _DOUBLINGS_MAX)
    return draw * min(BACKOFF_S * float(1 << doublings), BACKOFF_S_MAX)
