"""The decisions of the rate limiter: no IO, no clock, no randomness.

Owns: the gates, that is to say the buckets of each limit and the lines before them.

A request passes the gates of its caller, its model and the engine, in this order. What it has of a
gate that it passed is held for it. When it has passed the last one, it takes its share of all of
them in that one moment, so that no window of time of any of them sees more than it may. The order
is from the narrow to the wide: one caller's thousand requests stand in that caller's line and hold
nothing of what others use. Each line is first come, first served; who comes later goes ahead only
where the one before waits for something else.

An endpoint is known only when a lease is given, so its gate is apart, and has no line: the request
is told how long to wait, and until then nothing else is sent there (`reserve_endpoint`).

The time at which a request may go is not fixed when it is reserved: what others give back, because
they used less than they reserved, lets those in line go sooner. Operations return the reservations
of which something changed: they were granted, or are due at another time.

Invariant: asked = granted + waiting + refused + cancelled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs

from triollama._config import RateLimit
from triollama._errors import InvalidRequestError, OverloadError
from triollama.actors.limits.gate import Gate, Reservation
from triollama.actors.limits.registry import LimitStatistics, Registry

__all__ = ["LINE_MAX", "WAIT_S_MAX", "LimiterCore", "LimiterStatistics", "Reservation"]

LINE_MAX = 10_000
"""Requests that wait for their turn, in all lines; as many as may wait in the pool's by default."""

WAIT_S_MAX = 86_400.0
"""A request that would wait longer than a day is refused, even if it has no deadline."""


@attrs.frozen
class LimiterStatistics:
    """The rate limiter: ``asked = granted + waiting + refused + cancelled``.

    Attributes:
        asked: reservations asked for, those of endpoints not counted.
        granted: of those, the ones that may be sent or were.
        waiting: of those, the ones in line.
        refused: of those, the ones told no.
        cancelled: of those, the ones given up while they waited.
        delayed: of those, the ones that had to wait, whatever became of them.
        limits: one entry for each scope that has limits.
    """

    asked: int
    granted: int
    waiting: int
    refused: int
    cancelled: int
    delayed: int
    limits: tuple[LimitStatistics, ...]


class LimiterCore:
    """The state of the rate limiter; see the module.

    Args:
        limits: how much may be sent.
        line_max: requests that may wait.

    Raises:
        ConfigError: two limits for one model, in different spellings.
    """

    def __init__(self, limits: Iterable[RateLimit], *, line_max: int = LINE_MAX) -> None:
        limits = tuple(limits)
        self._callers = Registry("caller", limits)
        self._models = Registry("model", limits)
        self._engine = Registry("engine", limits)
        self._endpoints = Registry("endpoint", limits)
        self._line_max = line_max
        self._asked = self._granted = self._waiting = 0
        self._refused = self._cancelled = self._delayed = 0

    # ---- requests

    def reserve(
        self, model: str, caller: str, tokens: int, now_s: float, deadline_s: float = math.inf
    ) -> Reservation:
        """Ask for one request and its tokens; it is granted at once, or waits in line.

        Args:
            model: normalised name.
            caller: on whose behalf; those who do not say are one caller.
            tokens: how many it may cost, prompt and answer.
            now_s: the time.
            deadline_s: when waiting is pointless.

        Raises:
            InvalidRequestError: a limit never lets so many tokens through at once.
            OverloadError: its turn would come after the deadline, or too many wait already.
        """
        self._asked += 1
        try:
            reservation = Reservation(self._gates_of(model, caller, now_s), tokens, now_s)
            _check_tokens(tokens)
            for each in reservation.gates:
                each.check(tokens)
        except (InvalidRequestError, OverloadError):
            self._refused += 1
            raise
        gate = self._climb(reservation, now_s)
        if gate is not None:
            self._stand_in_line(reservation, gate, now_s, deadline_s)
        return reservation

    def look(self, reservation: Reservation, now_s: float) -> list[Reservation]:
        """The time at which a reservation was due has come."""
        if reservation.is_over or reservation.granted_s is not None:
            return []
        return self._serve([reservation.gates[reservation.passed]], now_s)

    def settle(
        self, reservation: Reservation, real_tokens: int | None, now_s: float
    ) -> list[Reservation]:
        """Put what a request did cost in the place of what was reserved. Counts once.

        Args:
            reservation: a granted one.
            real_tokens: prompt and answer; None if nobody knows: then it cost what was reserved.
            now_s: the time.
        """
        if reservation.is_over:
            return []
        assert reservation.granted_s is not None
        reservation.is_over = True
        if real_tokens is None or real_tokens == reservation.tokens:
            return []
        real, reserved = max(real_tokens, 0), reservation.tokens
        for gate in reservation.gates:
            gate.settle(reserved, real, reservation.granted_s, now_s)
        for gate, since_s in reservation.endpoints:
            gate.settle(reserved, real, since_s, now_s)
        return self._serve([gate for gate in reservation.gates if gate.line], now_s)

    def cancel(self, reservation: Reservation, now_s: float) -> list[Reservation]:
        """Give everything back: nothing was sent. Counts once, and not after `settle`."""
        if reservation.is_over:
            return []
        reservation.is_over = True
        if reservation.granted_s is None:
            self._cancelled += 1
            self._waiting -= 1
            reservation.gates[reservation.passed].leave(reservation)
            self._let_go(reservation)
        else:
            for gate in reservation.gates:
                gate.give_back(reservation.tokens, reservation.granted_s, now_s)
        for gate, since_s in reservation.endpoints:
            gate.give_back(reservation.tokens, since_s, now_s)
        return self._serve([gate for gate in reservation.gates if gate.line], now_s)

    # ---- endpoints

    def reserve_endpoint(
        self, name: str, tokens: int, now_s: float, reservation: Reservation | None = None
    ) -> float:
        """Take one request and its tokens from an endpoint; returns how long to wait, in seconds.

        Args:
            name: of the endpoint.
            tokens: how many the request may cost there.
            now_s: the time.
            reservation: the request's own, with which this is settled.

        Raises:
            InvalidRequestError: the limit never lets so many tokens through at once.
            OverloadError: there are too many endpoints with limits.
        """
        _check_tokens(tokens)
        gate = self._endpoints.find(name, now_s)
        if gate is None:
            return 0.0
        gate.check(tokens)
        start_s = max(gate.ready_s(tokens, now_s), now_s)
        gate.take(tokens, start_s)
        if reservation is not None:
            reservation.endpoints.append((gate, start_s))
        return start_s - now_s

    def next_free_s(self, name: str, now_s: float) -> float:
        """When an endpoint's limit lets a request through again: `now_s` if it would now."""
        gate = self._endpoints.find(name, now_s)
        return now_s if gate is None else max(gate.ready_s(1, now_s), now_s)

    def statistics(self) -> LimiterStatistics:
        """A snapshot."""
        registries = (self._engine, self._endpoints, self._models, self._callers)
        limits = tuple(each.statistics() for each in registries if not each.is_empty)
        return LimiterStatistics(
            self._asked,
            self._granted,
            self._waiting,
            self._refused,
            self._cancelled,
            self._delayed,
            limits,
        )

    # ---- inside

    def _gates_of(self, model: str, caller: str, now_s: float) -> tuple[Gate, ...]:
        """From the narrow to the wide, see the module."""
        found = (
            self._callers.find(caller, now_s),
            self._models.find(model, now_s),
            self._engine.find("", now_s),
        )
        return tuple([gate for gate in found if gate is not None])

    def _climb(self, reservation: Reservation, now_s: float) -> Gate | None:
        """Let one who stands in no line pass the gates; returns the one where it has to wait."""
        tokens, gates, passed = reservation.tokens, reservation.gates, reservation.passed
        for position in range(passed, len(gates)):
            gate = gates[position]
            if gate.line or gate.ready_s(tokens, now_s) > now_s:
                for each in gates[passed:position]:
                    each.hold(tokens)
                reservation.passed = position
                return gate
        for gate in gates[:passed]:
            gate.let_go(tokens)
        for gate in gates:
            gate.take(tokens, now_s)
        reservation.passed = len(gates)
        reservation.granted_s = now_s
        self._granted += 1
        return None

    def _stand_in_line(
        self, reservation: Reservation, gate: Gate, now_s: float, deadline_s: float
    ) -> None:
        tokens = reservation.tokens
        waits = [
            (each.wait_s(tokens, now_s), each.name)
            for each in reservation.gates[reservation.passed :]
        ]
        reservation.wait_s, reservation.held_up_by = max(waits)
        error = self._refusal(reservation, deadline_s - now_s)
        if error is not None:
            self._let_go(reservation)
            self._refused += 1
            raise error
        self._waiting += 1
        self._delayed += 1
        if not gate.line:
            reservation.due_s = gate.ready_s(tokens, now_s)
        gate.join(reservation)

    def _refusal(self, reservation: Reservation, patience_s: float) -> OverloadError | None:
        wait_s, name = min(reservation.wait_s, WAIT_S_MAX), reservation.held_up_by
        if self._waiting >= self._line_max:
            told = f"{self._waiting} requests wait for rate limits, this one for that of {name}"
            return OverloadError(told, retry_after_s=wait_s)
        if not reservation.wait_s <= min(patience_s, WAIT_S_MAX):
            told = f"the rate limit of {name} leaves no room before the deadline"
            return OverloadError(told, retry_after_s=max(0.0, wait_s - max(0.0, patience_s)))
        return None

    @staticmethod
    def _let_go(reservation: Reservation) -> None:
        for gate in reservation.gates[: reservation.passed]:
            gate.let_go(reservation.tokens)

    def _serve(self, gates: Iterable[Gate], now_s: float) -> list[Reservation]:
        """Let those at the head of these lines pass; returns whom that concerns."""
        changed: dict[Reservation, None] = {}
        work = list(gates)
        while work:
            gate = work.pop()
            while gate.line:
                head = next(iter(gate.line))
                due_s = gate.ready_s(head.tokens, now_s)
                if due_s > now_s:
                    if due_s != head.due_s:
                        head.due_s = due_s
                        changed[head] = None
                    break
                work += self._let_pass(gate, head, now_s)
                changed[head] = None
        return list(changed)

    def _let_pass(self, gate: Gate, head: Reservation, now_s: float) -> list[Gate]:
        """Let the first in line go on; returns where something has changed for others by that."""
        gate.leave(head)
        gate.hold(head.tokens)
        head.passed += 1
        head.due_s = math.inf
        next_gate = self._climb(head, now_s)
        if next_gate is not None:
            next_gate.join(head)
            return [next_gate]
        self._waiting -= 1
        # What was held filled its place; now that it is taken, more can flow in.
        return [each for each in head.gates if each is not gate]


def _check_tokens(tokens: int) -> None:
    if not isinstance(tokens, int) or tokens < 0:
        raise InvalidRequestError("the tokens of a request must be a whole number, 0 or more")
