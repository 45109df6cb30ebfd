"""The rate limiter's shell.

Owns: the limiter's core, and for each request that waits the scope in which it sleeps.

Accepts: plain calls. It needs no task: whoever waits sleeps until its own due time, and changes of
that time, or the grant itself, come from the calls of others.

When full: `ask` raises `OverloadError`. When cancelled in `wait`: the place in line is given up,
and what was held or just granted is given back. Bounds: `core.LINE_MAX` requests that
wait, `registry.GATES_MAX` callers, models or endpoints that have buckets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import trio

from triollama._config import RateLimit
from triollama._errors import DeadlineExceededError
from triollama._facts import RequestDelayed
from triollama.actors.facts import FactHub
from triollama.actors.limits.core import LimiterCore, LimiterStatistics, Reservation


class Limiter:
    """Says when requests may be sent.

    Args:
        limits: how much may be sent; see `RateLimit`. Of one scope, the limit with the very key
            applies, otherwise the one without.
        facts: is told which requests had to wait.

    Attributes:
        is_idle: whether there are no limits at all, so that asking can be left out.

    Raises:
        ConfigError: two limits for one model, in different spellings.
    """

    def __init__(self, limits: Iterable[RateLimit], *, facts: FactHub) -> None:
        limits = tuple(limits)
        self.is_idle = not limits
        self._core = LimiterCore(limits)
        self._facts = facts
        self._sleeping: dict[Reservation, tuple[trio.CancelScope, float]] = {}

    def ask(
        self, model: str, caller: str, tokens: int, *, deadline_s: float = math.inf
    ) -> Reservation:
        """Ask for the turn of a request; it must be given to `settle`, or to `cancel`.

        If it has no ``granted_s`` yet it stands in line, and holds what it passed already: `wait`
        must follow at once, or `cancel`. Whoever may be cancelled has to look before, not between.

        Args:
            model: normalised name.
            caller: on whose behalf; those who do not say are one caller.
            tokens: how many it may cost, prompt and answer together; see `tokens_guess`.
            deadline_s: when waiting is pointless, on trio's clock.

        Raises:
            InvalidRequestError: a limit never lets so many tokens through at once.
            OverloadError: its turn would come after the deadline, or too many wait already.
        """
        return self._core.reserve(model, caller, tokens, trio.current_time(), deadline_s)

    async def wait(self, reservation: Reservation, deadline_s: float = math.inf) -> None:
        """Wait until what was asked for is granted. If cancelled, nothing is reserved.

        Args:
            reservation: from `ask`, without a ``granted_s``.
            deadline_s: the same as there.

        Raises:
            DeadlineExceededError: the deadline came while it waited, since others cost more than
                they had reserved.
        """
        try:
            while reservation.granted_s is None:
                await self._sleep(reservation, deadline_s)
                now_s = trio.current_time()
                self._tell(self._core.look(reservation, now_s))
                _check_deadline(reservation, deadline_s, now_s)
        except BaseException:
            self.cancel(reservation)
            raise
        wait_s = reservation.granted_s - reservation.asked_s
        scope, at_s = reservation.held_up_by, trio.current_time()
        self._facts.publish(RequestDelayed(at_s=at_s, scope=scope, wait_s=wait_s))

    def settle(self, reservation: Reservation, real_tokens: int | None) -> None:
        """Put what the request did cost in the place of what was reserved. Never waits.

        What is too much is given back, what is too little is charged. Only the first `settle` or
        `cancel` counts.

        Args:
            reservation: from `ask`, granted.
            real_tokens: prompt and answer; None if nobody knows: then it cost what was reserved.
        """
        now_s = trio.current_time()
        self._tell(self._core.settle(reservation, real_tokens, now_s))

    def cancel(self, reservation: Reservation) -> None:
        """Give everything back, the request included: nothing was sent. Never waits."""
        self._tell(self._core.cancel(reservation, trio.current_time()))

    def reserve_endpoint(
        self, name: str, tokens: int, reservation: Reservation | None = None
    ) -> float:
        """Take a request and its tokens from an endpoint; returns how long to wait, in seconds.

        Args:
            name: of the endpoint.
            tokens: how many the request may cost there; those of `reservation`, if that is given.
            reservation: the request's own, with which this is settled or cancelled too.

        Raises:
            InvalidRequestError: the limit never lets so many tokens through at once.
        """
        return self._core.reserve_endpoint(name, tokens, trio.current_time(), reservation)

    def next_free_s(self, name: str) -> float:
        """From when on an endpoint's limit lets the next request through, on trio's clock."""
        return self._core.next_free_s(name, trio.current_time())

    def statistics(self) -> LimiterStatistics:
        """A snapshot."""
        return self._core.statistics()

    async def _sleep(self, reservation: Reservation, deadline_s: float) -> None:
        """Sleep until there is something to look at, or the deadline."""
        with trio.CancelScope() as scope:
            scope.deadline = min(reservation.due_s, deadline_s)
            self._sleeping[reservation] = (scope, deadline_s)
            try:
                await trio.sleep_forever()
            finally:
                del self._sleeping[reservation]

    def _tell(self, changed: Iterable[Reservation]) -> None:
        for reservation in changed:
            scope, deadline_s = self._sleeping.get(reservation, (None, math.inf))
            if scope is None:
                continue  # it is awake, and will look for itself
            if reservation.granted_s is not None:
                scope.cancel()
            else:
                scope.deadline = min(reservation.due_s, deadline_s)


def _check_deadline(reservation: Reservation, deadline_s: float, now_s: float) -> None:
    if reservation.granted_s is None and now_s >= deadline_s:
        told = f"the rate limit of {reservation.held_up_by} left no room"
        raise DeadlineExceededError(told, limit_s=now_s - reservation.asked_s)
