"""The decisions of the endpoint pool: no IO, no clock, no randomness.

Owns: for each endpoint what is in flight, which models it is known to lack and until when it is
avoided; and the line of those who wait. `handle` takes a message and the time and returns effects.

Choice among the endpoints that may be used: one that is not being avoided before one that is, then
the smallest share of its limit in flight, then the one chosen longest ago. A failure makes an
endpoint avoided for `AVOID_S` doubled per failure in a row, up to `AVOID_S_MAX`: so a server that
fails fast does not draw the traffic to itself.

The line: by priority, then in order of arrival. One whose endpoints are full does not hold up one
behind it whose are not.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

import attrs

from triollama._errors import DeadlineExceededError, OverloadError
from triollama.actors.pool.messages import (
    Abandon,
    Acquire,
    Granted,
    Lease,
    Outcome,
    PoolEffect,
    PoolMessage,
    Refused,
    Released,
    TimePassed,
)

AVOID_S = 0.5
"""After one failure. Long enough for the requests of one burst to go elsewhere."""

AVOID_S_MAX = 30.0
"""After many failures in a row; then one of the requests finds out how it is."""

MISSING_S = 30.0
"""For how long a 404 for a model is believed; somebody may pull it meanwhile."""

MISSING_MODELS_MAX = 1_000
"""Models remembered as missing, per endpoint; the oldest is forgotten first."""

_RETRY_AFTER_S_BOUNDS = (1.0, 60.0)


@attrs.frozen
class EndpointStatistics:
    """One endpoint, as the pool sees it.

    Attributes:
        name: as configured.
        in_flight: leases given and not yet released.
        in_flight_max: the limit.
        granted: leases given so far.
        outcomes: how many of those ended how, by `Outcome` value.
        failures_in_row: failures since the last answer.
        is_avoided: whether it is used only where no other can be.
    """

    name: str
    in_flight: int
    in_flight_max: int
    granted: int
    outcomes: dict[str, int]
    failures_in_row: int
    is_avoided: bool


@attrs.frozen
class PoolStatistics:
    """The pool.

    Attributes:
        endpoints: one entry each, in the configured order.
        waiting: requests in line.
        granted: leases given so far.
        refused: requests that were told no.
    """

    endpoints: tuple[EndpointStatistics, ...]
    waiting: int
    granted: int
    refused: int


@attrs.define
class _Endpoint:
    name: str
    in_flight_max: int
    in_flight: int = 0
    granted: int = 0
    last_granted: int = 0
    failures_in_row: int = 0
    avoided_until_s: float = 0.0
    missing: dict[str, float] = attrs.field(factory=dict)
    outcomes: dict[str, int] = attrs.field(factory=dict)

    def lacks(self, model: str, now_s: float) -> bool:
        return bool(self.missing) and self.missing.get(model, 0.0) > now_s

    def rank(self, now_s: float) -> tuple[bool, float, int]:
        return (
            self.avoided_until_s > now_s,
            self.in_flight / self.in_flight_max,
            self.last_granted,
        )


class PoolCore:
    """The state of the pool; see the module.

    Args:
        endpoints: names and limits of requests in flight.
        line_max: see `EngineConfig.line_max`.
    """

    def __init__(self, endpoints: Iterable[tuple[str, int]], *, line_max: int) -> None:
        self._endpoints = {name: _Endpoint(name, limit) for name, limit in endpoints}
        self._line_max = line_max
        # Sorted by `_place`; the dictionary finds one that leaves without a walk along the line.
        self._line: list[Acquire] = []
        self._waiting: dict[int, Acquire] = {}
        self._granted = 0
        self._refused = 0

    def handle(self, message: PoolMessage, now_s: float) -> Sequence[PoolEffect]:
        """Take a message; returns what is to be done about it, in order."""
        match message:
            case Acquire():
                return self._acquire(message, now_s)
            case Released(lease, outcome):
                self._release(lease, outcome, now_s)
                return self._serve(now_s) if self._line else ()
            case Abandon(ticket):
                self._abandon(ticket)
                return ()
            case TimePassed():
                return self._drop_late(now_s)

    def next_due_s(self) -> float | None:
        """When `TimePassed` is wanted, or None."""
        return min((waiting.deadline_s for waiting in self._line), default=None)

    def statistics(self, now_s: float) -> PoolStatistics:
        """A snapshot."""
        return PoolStatistics(
            tuple(
                EndpointStatistics(
                    each.name,
                    each.in_flight,
                    each.in_flight_max,
                    each.granted,
                    dict(each.outcomes),
                    each.failures_in_row,
                    each.avoided_until_s > now_s,
                )
                for each in self._endpoints.values()
            ),
            len(self._line),
            self._granted,
            self._refused,
        )

    # ---- asking

    def _acquire(self, ask: Acquire, now_s: float) -> Sequence[PoolEffect]:
        at_once = self._serve_one(ask, now_s)
        if at_once is not None:
            return (at_once,)
        if len(self._line) >= self._line_max:
            return (self._refuse(ask, self._overload()),)
        bisect.insort(self._line, ask, key=_place)
        self._waiting[ask.ticket] = ask
        return ()

    def _candidates(self, ask: Acquire, now_s: float) -> list[_Endpoint]:
        if ask.only:
            only = self._endpoints.get(ask.only)
            return [only] if only is not None and ask.only not in ask.excluded else []
        untried = [each for each in self._endpoints.values() if each.name not in ask.excluded]
        # Somebody may have pulled the model meanwhile: what was missing steers, it does not forbid.
        return [each for each in untried if not each.lacks(ask.model, now_s)] or untried

    def _grant(self, ask: Acquire, free: list[_Endpoint], now_s: float) -> Granted:
        chosen = free[0] if len(free) == 1 else min(free, key=lambda each: each.rank(now_s))
        self._granted += 1
        chosen.granted += 1
        chosen.last_granted = self._granted
        chosen.in_flight += 1
        assert chosen.in_flight <= chosen.in_flight_max
        return Granted(ask.ticket, Lease(self._granted, chosen.name, ask.model))

    def _refuse(self, ask: Acquire, error: OverloadError | DeadlineExceededError | None) -> Refused:
        self._refused += 1
        return Refused(ask.ticket, error)

    def _overload(self) -> OverloadError:
        in_flight = sum(each.in_flight for each in self._endpoints.values())
        low, high = _RETRY_AFTER_S_BOUNDS
        # The line is worked off in about (line / in flight) answers' time; a second stands for one.
        wait_s = min(max(len(self._line) / max(in_flight, 1), low), high)
        return OverloadError(f"{len(self._line)} requests are in line", retry_after_s=wait_s)

    # ---- giving back

    def _release(self, lease: Lease, outcome: Outcome, now_s: float) -> None:
        endpoint = self._endpoints.get(lease.endpoint)
        if endpoint is None:
            return
        endpoint.in_flight -= 1
        assert endpoint.in_flight >= 0
        endpoint.outcomes[outcome.value] = endpoint.outcomes.get(outcome.value, 0) + 1
        match outcome:
            case Outcome.DONE | Outcome.REJECTED:
                endpoint.failures_in_row = 0
                endpoint.avoided_until_s = 0.0
            case Outcome.FAILED | Outcome.BUSY:
                self._avoid(endpoint, now_s)
            case Outcome.MODEL_MISSING:
                endpoint.missing[lease.model] = now_s + MISSING_S
                if len(endpoint.missing) > MISSING_MODELS_MAX:
                    del endpoint.missing[next(iter(endpoint.missing))]
            case Outcome.UNUSED:
                pass

    @staticmethod
    def _avoid(endpoint: _Endpoint, now_s: float) -> None:
        if endpoint.avoided_until_s > now_s:
            return  # one burst of failures counts once
        wait_s = min(AVOID_S * 2**endpoint.failures_in_row, AVOID_S_MAX)
        endpoint.failures_in_row = min(endpoint.failures_in_row + 1, 30)
        endpoint.avoided_until_s = now_s + wait_s

    # ---- the line

    def _serve(self, now_s: float) -> Sequence[PoolEffect]:
        """Give free places to the first in line that can use them."""
        effects: list[PoolEffect] = []
        free_places = sum(each.in_flight_max - each.in_flight for each in self._endpoints.values())
        position = 0
        while free_places and position < len(self._line):
            effect = self._serve_one(self._line[position], now_s)
            if effect is None:
                position += 1
                continue
            self._leave(position)
            effects.append(effect)
            free_places -= isinstance(effect, Granted)
        return effects

    def _serve_one(self, ask: Acquire, now_s: float) -> PoolEffect | None:
        """Answer a request if it can be answered now; None if it has to wait."""
        if ask.deadline_s <= now_s:
            return self._refuse(ask, _too_late(ask, now_s))
        candidates = self._candidates(ask, now_s)
        if not candidates:
            return self._refuse(ask, None)
        free = [each for each in candidates if each.in_flight < each.in_flight_max]
        return self._grant(ask, free, now_s) if free else None

    def _drop_late(self, now_s: float) -> Sequence[PoolEffect]:
        late = [ask for ask in self._line if ask.deadline_s <= now_s]
        self._line = [ask for ask in self._line if ask.deadline_s > now_s]
        for ask in late:
            del self._waiting[ask.ticket]
        return [self._refuse(ask, _too_late(ask, now_s)) for ask in late]

    def _abandon(self, ticket: int) -> None:
        ask = self._waiting.get(ticket)
        if ask is not None:
            self._leave(bisect.bisect_left(self._line, _place(ask), key=_place))

    def _leave(self, position: int) -> None:
        del self._waiting[self._line.pop(position).ticket]


def _place(ask: Acquire) -> tuple[int, int]:
    return (-ask.priority, ask.ticket)


def _too_late(ask: Acquire, now_s: float) -> DeadlineExceededError:
    return DeadlineExceededError("no endpoint was free", limit_s=max(now_s - ask.asked_s, 0.0))
