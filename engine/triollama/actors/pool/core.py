"""The decisions of the endpoint pool: no IO, no clock, no randomness.

Owns: the fleet, the line of those who wait, the leases, and what is typical of the fleet. `handle`
takes a message and the time and returns effects: leases, refusals, and facts.

Which endpoint gets a request is decided in `choice`, which ones are in service in `fleet` and
`breaker`, how many requests each gets at once in `slots`, who waits in `line`.

At each moment: a lease is counted at its endpoint and its model from the grant to the release; no
endpoint has more than `max_in_flight`; each ticket is answered once, unless it is abandoned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from triollama import _facts as fact
from triollama._config import EndpointConfig
from triollama._errors import (
    DeadlineExceededError,
    FleetUnavailableError,
    OverloadError,
    TriollamaError,
)
from triollama.actors.pool.choice import choose, eligible
from triollama.actors.pool.endpoint import MISSING_S, Endpoint, ModelState
from triollama.actors.pool.estimate import Typical
from triollama.actors.pool.fleet import Fleet
from triollama.actors.pool.line import Line
from triollama.actors.pool.messages import (
    Abandon,
    Acquire,
    Add,
    Drain,
    FirstToken,
    Granted,
    Hold,
    Lease,
    Outcome,
    Place,
    PoolEffect,
    PoolMessage,
    ProbeAnswered,
    ProbeUnanswered,
    Refused,
    Released,
    TimePassed,
    Update,
)
from triollama.actors.pool.service import Service
from triollama.actors.pool.statistics import PoolStatistics, describe

PUSH_BACK_S = 1.0
"""For how long a server that is busy gets nothing new, if it does not say: a moment, since others
will get the requests meanwhile."""

TYPICALS_MAX = 1_000
"""Models whose typical times are remembered; further ones share one."""

_RETRY_AFTER_S_BOUNDS = (1.0, 60.0)


T = TypeVar("T")


class PoolCore:
    """The state of the pool; see the module.

    Args:
        endpoints: the fleet.
        line_max: see `EngineConfig.line_max`.
        line_bytes_max: see `EngineConfig.line_bytes_high`.
    """

    def __init__(
        self, endpoints: Iterable[EndpointConfig], *, line_max: int, line_bytes_max: int
    ) -> None:
        self._fleet = Fleet(endpoints)
        self._line = Line(line_max, line_bytes_max)
        self._typical: dict[str, Typical] = {}
        self._service = Service()
        self._services: dict[str, Service] = {}
        self._answering: set[int] = set()
        self._granted = 0
        self._refused = 0
        self._in_flight = 0

    def handle(self, message: PoolMessage, now_s: float) -> Sequence[PoolEffect]:
        """Take a message; returns what is to be done about it, in order."""
        effects: Sequence[PoolEffect] = ()
        match message:
            case Acquire():
                effects = self._acquire(message, now_s)
            case Released():
                effects = (*self._release(message, now_s), *self._serve(now_s))
            case FirstToken(lease, first_token_s):
                effects = self._first_token(lease, first_token_s, now_s)
            case Abandon(ticket):
                self._line.leave(ticket)
            case TimePassed():
                effects = self._pass_time(now_s)
            case ProbeAnswered() | ProbeUnanswered():
                effects = (*self._fleet.probed(message, now_s), *self._serve(now_s))
            case Add() | Update() | Drain() | Hold():
                effects = (*self._fleet.manage(message, now_s), *self._serve(now_s))
        return effects

    def next_due_s(self) -> float:
        """When `TimePassed` is wanted; infinity if never."""
        due_s = self._line.next_deadline_s() if self._line else None
        dues = [math.inf if due_s is None else due_s]
        for each in self._fleet:
            out_s = each.breaker.next_due_s()
            if out_s is not None:
                dues.append(out_s)
            if self._line and each.quiet_until_s:
                dues.append(each.quiet_until_s)
        return min(dues)

    def find(self, name: str) -> EndpointConfig | None:
        """The configuration of an endpoint that belongs to the fleet, or None."""
        endpoint = self._fleet.get(name)
        return None if endpoint is None or endpoint.is_leaving else endpoint.config

    def configs(self) -> list[EndpointConfig]:
        """The configurations of all endpoints, also of those that are leaving."""
        return [each.config for each in self._fleet]

    def in_flight_at(self, name: str) -> int:
        """What runs at an endpoint; 0 if it is not there."""
        endpoint = self._fleet.get(name)
        return 0 if endpoint is None else endpoint.in_flight

    def has_standing(
        self,
        model: str,
        now_s: float,
        *,
        excluded: frozenset[str],
        only: str,
        tags: frozenset[str],
        besides: str,
    ) -> bool:
        """Whether an endpoint besides one may take a request, and the last news of it was good."""
        ask = Acquire(0, model, math.inf, now_s, excluded=excluded, only=only, tags=tags)
        return any(
            each.name != besides and each.is_standing and each.is_in_service
            for each in eligible(self._fleet, ask, now_s, is_panic=False)
        )

    def place_of(self, ticket: int) -> Place | None:
        """Where in line a request is; None if it does not wait."""
        ahead = self._line.place_of(ticket)
        return None if ahead is None else Place(ahead, self.wait_s(ahead))

    def wait_s(self, ahead: int) -> float:
        """How long a request with so many before it will wait, in seconds; 0 if unknown."""
        return self._service.wait_s(ahead, self._in_flight)

    def statistics(self, now_s: float) -> PoolStatistics:
        """A snapshot."""
        return PoolStatistics(
            tuple(describe(each, self._typical, now_s) for each in self._fleet),
            len(self._line),
            self._line.waiting_bytes,
            self._granted,
            self._refused,
            self.wait_s(len(self._line)) if self._line else 0.0,
        )

    # ---- asking

    def _acquire(self, ask: Acquire, now_s: float) -> Sequence[PoolEffect]:
        at_once = self._serve_one(ask, now_s)
        if at_once is not None:
            return at_once
        wait_s, left_s = self.wait_s(self._line.ahead_of(ask)), ask.answer_by_s - now_s
        if not ask.has_begun and self._service_of(ask.model).is_hopeless(wait_s, left_s):
            told = f"an answer would take longer than the {left_s:.1f} s that it may"
            return self._refuse(ask, self._overload(told, wait_s), now_s)
        effects: Sequence[PoolEffect] = ()
        if not self._line.has_room(ask):
            full, last = self._overload("the line is full", wait_s), self._line.who_gives_way(ask)
            if last is None:
                return self._refuse(ask, full, now_s)
            self._line.leave(last.ticket)
            effects = self._refuse(last, full, now_s)
        self._line.join(ask)
        return effects

    def _serve_one(self, ask: Acquire, now_s: float) -> Sequence[PoolEffect] | None:
        """Answer a request if it can be answered now; None if it has to wait.

        If it is granted, that is the last effect.
        """
        if ask.deadline_s <= now_s or self._gives_way(ask, now_s):
            return self._refuse(ask, _too_late(ask, now_s), now_s)
        may = eligible(self._fleet, ask, now_s, is_panic=self._fleet.is_panic)
        if not may:
            return self._refuse(ask, None, now_s)
        free = [each for each in may if each.has_room(ask.model, now_s)]
        return self._grant(ask, free, now_s) if free else None

    def _gives_way(self, ask: Acquire, now_s: float) -> bool:
        """Whether it has too little time left for an answer, where others wait who may have it.

        Work that is thrown away at a deadline is what an overload takes from those in time.
        """
        is_crowded = len(self._line) > 1 and ask.ticket in self._line
        if not is_crowded or ask.has_begun or ask.answer_by_s == math.inf:
            return False
        return self._service_of(ask.model).is_too_late(ask.answer_by_s - now_s)

    def _grant(self, ask: Acquire, free: list[Endpoint], now_s: float) -> Sequence[PoolEffect]:
        chosen = choose(free, ask, now_s, self._typical_of(ask.model))
        effects = self._fleet.look(chosen, now_s)
        self._granted += 1
        self._in_flight += 1
        chosen.granted += 1
        chosen.last_granted = self._granted
        chosen.in_flight += 1
        assert chosen.in_flight <= chosen.config.max_in_flight
        is_trial, slot, is_learning = chosen.breaker.take(now_s), 0, False
        if ask.model:
            state = chosen.model(ask.model)
            slot, is_learning = state.slots.on_sent(now_s), state.slots.given is None
            state.estimate.on_sent(now_s)
            state.is_loaded, state.runner = True, ask.runner
            state.last_granted = self._granted
        number, name = self._granted, chosen.name
        by_s = ask.answer_by_s
        lease = Lease(number, name, ask.model, is_trial, slot, now_s, is_learning, by_s)
        return (*effects, Granted(ask.ticket, lease))

    def _refuse(
        self, ask: Acquire, error: TriollamaError | None, now_s: float
    ) -> Sequence[PoolEffect]:
        self._refused += 1
        reason = type(error or FleetUnavailableError(())).__name__
        told = fact.RequestRefused(at_s=now_s, model=ask.model, reason=reason)
        return (Refused(ask.ticket, error), told)

    def _overload(self, why: str, wait_s: float) -> OverloadError:
        low, high = _RETRY_AFTER_S_BOUNDS
        told = f"{why}: {len(self._line)} requests wait"
        return OverloadError(told, retry_after_s=min(max(wait_s, low), high))

    def _typical_of(self, model: str) -> Typical:
        return _remember(self._typical, model, Typical)

    def _service_of(self, model: str) -> Service:
        return _remember(self._services, model, Service)

    # ---- while it runs, and giving back

    def _first_token(
        self, lease: Lease, first_token_s: float, now_s: float
    ) -> Sequence[PoolEffect]:
        state, endpoint = self._state_of(lease), self._fleet.get(lease.endpoint)
        if state is None or endpoint is None:
            return ()
        if endpoint.is_unreachable:
            endpoint.good_news()
        self._answering.add(lease.number)
        learnt = self._begun(lease, state, first_token_s, now_s)
        return (*learnt, *self._serve(now_s)) if learnt else ()

    def _begun(
        self, lease: Lease, state: ModelState, first_token_s: float, now_s: float
    ) -> list[PoolEffect]:
        state.estimate.observe(first_token_s, now_s)
        self._typical_of(lease.model).observe(first_token_s)
        return self._learnt(lease, state.slots.on_first_token(lease.slot, now_s), now_s)

    def _release(self, released: Released, now_s: float) -> list[PoolEffect]:
        lease, outcome = released.lease, released.outcome
        endpoint = self._fleet.get(lease.endpoint)
        assert endpoint is not None, "an endpoint stays until its last lease is back"
        self._in_flight -= 1
        endpoint.count(outcome)
        effects = self._release_slot(released, now_s)
        match outcome:
            case Outcome.DONE | Outcome.REJECTED:
                effects += self._fleet.answered(endpoint, lease, now_s)
            case Outcome.FAILED | Outcome.UNREACHABLE:
                effects += self._fleet.failed(endpoint, released, now_s)
            case Outcome.BUSY:
                effects += self._pushed_back(endpoint, released, now_s)
            case Outcome.MODEL_MISSING:
                endpoint.model(lease.model).missing_until_s = now_s + MISSING_S
                endpoint.breaker.on_unused(is_trial=lease.is_trial)
            case Outcome.UNUSED:
                endpoint.breaker.on_unused(is_trial=lease.is_trial)
        for service in (self._service, self._service_of(lease.model)):
            if outcome is Outcome.DONE:
                service.ended(now_s - lease.granted_s)
            elif outcome is Outcome.UNUSED:
                is_late = now_s >= lease.answer_by_s
                service.was_cut(now_s - lease.granted_s, is_late=is_late)
        self._answering.discard(lease.number)
        return effects + self._fleet.let_go(endpoint, now_s)

    def _release_slot(self, released: Released, now_s: float) -> list[PoolEffect]:
        lease, state = released.lease, self._state_of(released.lease)
        if state is None:
            return []
        slots, learnt = state.slots, []
        if released.outcome is Outcome.DONE:
            if lease.number not in self._answering:  # all of it came at once
                learnt += self._begun(lease, state, released.took_s, now_s)
            limit = slots.on_done(lease.slot, released.slot_wait_s, released.service_s, now_s)
        elif released.outcome is Outcome.BUSY:
            limit = slots.on_pushed_back(lease.slot, now_s)
        else:
            limit = None
            slots.on_failed(lease.slot, now_s)
            self._blame(state, released.outcome, now_s)
        return [*learnt, *self._learnt(lease, limit, now_s)]

    @staticmethod
    def _blame(state: ModelState, outcome: Outcome, now_s: float) -> None:
        """A failure makes the model dearer there; one that died has it loaded no more."""
        if outcome is Outcome.FAILED or outcome is Outcome.UNREACHABLE:
            state.estimate.penalise(now_s)
        if outcome is Outcome.UNREACHABLE:
            state.is_loaded = False

    def _pushed_back(
        self, endpoint: Endpoint, released: Released, now_s: float
    ) -> list[PoolEffect]:
        endpoint.breaker.on_unused(is_trial=released.lease.is_trial)
        wait_s = released.retry_after_s
        until_s = now_s + (PUSH_BACK_S if wait_s is None else wait_s)
        endpoint.quiet_until_s = max(endpoint.quiet_until_s, until_s)
        return [fact.EndpointPushedBack(at_s=now_s, endpoint=endpoint.name, wait_s=wait_s or 0.0)]

    def _state_of(self, lease: Lease) -> ModelState | None:
        endpoint = self._fleet.get(lease.endpoint)
        return endpoint.models.get(lease.model) if endpoint is not None and lease.slot else None

    @staticmethod
    def _learnt(lease: Lease, limit: int | None, now_s: float) -> list[PoolEffect]:
        if limit is None:
            return []
        name, model = lease.endpoint, lease.model
        return [fact.SlotsLearnt(at_s=now_s, endpoint=name, model=model, slots=limit)]

    # ---- the line

    def _serve(self, now_s: float) -> Sequence[PoolEffect]:
        """Give free places to those whose turn it is."""
        if not self._line:
            return ()
        effects: list[PoolEffect] = []
        served = True
        while served and self._line:
            served = False
            for ask in self._line.heads(now_s):
                answer = self._serve_one(ask, now_s)
                if answer is not None:
                    if isinstance(answer[-1], Granted):
                        self._line.serve(ask, now_s)
                    else:  # no turn of its caller: that goes on as before
                        self._line.leave(ask.ticket)
                    effects += answer
                    served = True
                    break  # its class has another first now, and there is less room
        return effects

    def _pass_time(self, now_s: float) -> Sequence[PoolEffect]:
        effects: list[PoolEffect] = []
        for endpoint in self._fleet:
            effects += self._fleet.look(endpoint, now_s)
            if endpoint.quiet_until_s <= now_s:
                endpoint.quiet_until_s = 0.0
        for ask in self._line.late(now_s):
            effects += self._refuse(ask, _too_late(ask, now_s), now_s)
        return (*effects, *self._serve(now_s))


def _remember(known: dict[str, T], model: str, make: Callable[[], T]) -> T:
    """What is known of a model, made when it is first asked for."""
    found = known.get(model)
    if found is None:
        found = known.setdefault(model if len(known) < TYPICALS_MAX else "", make())
    return found


def _too_late(ask: Acquire, now_s: float) -> DeadlineExceededError:
    return DeadlineExceededError("no endpoint was free", limit_s=max(now_s - ask.asked_s, 0.0))
