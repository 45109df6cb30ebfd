"""Whether an endpoint is in service: a circuit breaker per endpoint. No IO, clock or randomness.

Owns: the state of one endpoint, its failures in a row, how often it was ejected, and how many trial
requests run there. Accepts: how requests and probes ended, and the time. Bounded by:
`FAILURES_MAX`, `OUT_S` to `OUT_S_MAX`, `TRIALS_MAX`.

    CLOSED ──too many failures, or probes say it is down──▶ OPEN ──time, or it answers──▶ HALF_OPEN
       ▲                                                      ▲                              │ │
       │                                                      └──────a trial failed──────────┘ │
       └───────────────────────────────────a trial was answered────────────────────────────────┘

Only trials decide in HALF_OPEN: what was sent before the ejection says nothing about now. Whether
an endpoint may be ejected at all depends on the rest of the fleet, which this does not know: the
caller says so with `may_eject`, counting HALF_OPEN as out of service. Every method that may change
the state returns the new state, or None if it is the old one.
"""

from __future__ import annotations

import enum
import math

import attrs

FAILURES_MAX = 5
"""Failures in a row that eject. Envoy's default for consecutive errors; fewer would let one broken
burst of a server that restarts its runner take it out."""

OUT_S = 30.0
"""Out of service after the first ejection, in seconds; after the n-th, n times that. Envoy's base
ejection time."""

OUT_S_MAX = 300.0
"""The longest time out of service, before jitter. Envoy's limit."""

TIMES_MAX = int(OUT_S_MAX / OUT_S)
"""Ejections remembered: more would lengthen nothing, only how long it takes to be forgiven."""

JITTER = 0.1
"""Up to this share is added to the time out, so that endpoints that failed together (one switch,
one power line) do not all come back in the same instant."""

TRIALS_MAX = 3
"""Trial requests at a time in HALF_OPEN. One alone may be the one with the bad luck, and answers
take long; each more is a caller who may have to be sent elsewhere."""


class State(enum.Enum):
    """Whether an endpoint gets requests."""

    CLOSED = "closed"
    """In service."""
    OPEN = "open"
    """Ejected: nothing is sent there."""
    HALF_OPEN = "half-open"
    """On trial: at most `TRIALS_MAX` requests at a time."""


class Event(enum.Enum):
    """What moves the state. Conditions are resolved before: see where each is made."""

    ANSWERED = "answered"
    """An ordinary request was answered."""
    FAILED = "failed"
    """An ordinary request failed, and it takes more to eject, or that is not allowed."""
    EXHAUSTED = "exhausted"
    """An ordinary request failed, at least the fifth in a row, and ejecting is allowed."""
    TRIAL_ANSWERED = "trial answered"
    """A trial request was answered."""
    TRIAL_FAILED = "trial failed"
    """A trial request failed, and ejecting is allowed."""
    PROBE_DOWN = "probe down"
    """Enough probes in a row failed, and ejecting is allowed."""
    PROBE_REACHED = "probe reached"
    """A probe was answered, where the last failure was that there was no connection."""
    DUE = "due"
    """The time out of service is over."""


_C, _O, _H = State.CLOSED, State.OPEN, State.HALF_OPEN

TRANSITIONS: dict[State, dict[Event, State]] = {
    _C: {
        Event.ANSWERED: _C,
        Event.FAILED: _C,
        Event.EXHAUSTED: _O,
        # Of several trials the first decides; the others then count like ordinary requests.
        Event.TRIAL_ANSWERED: _C,
        Event.TRIAL_FAILED: _C,
        Event.PROBE_DOWN: _O,
        Event.PROBE_REACHED: _C,
        Event.DUE: _C,
    },
    _O: {
        # The ends of what had been sent before. If they closed it, one long answer that still runs
        # would call back an endpoint whose every new request fails.
        Event.ANSWERED: _O,
        Event.FAILED: _O,
        Event.EXHAUSTED: _O,
        Event.TRIAL_ANSWERED: _O,
        Event.TRIAL_FAILED: _O,
        Event.PROBE_DOWN: _O,
        Event.PROBE_REACHED: _H,
        Event.DUE: _H,
    },
    _H: {
        Event.ANSWERED: _H,
        Event.FAILED: _H,
        Event.EXHAUSTED: _H,
        Event.TRIAL_ANSWERED: _C,
        Event.TRIAL_FAILED: _O,
        Event.PROBE_DOWN: _O,
        Event.PROBE_REACHED: _H,
        Event.DUE: _H,
    },
}
"""The state after each event in each state."""


@attrs.define
class Breaker:
    """The breaker of one endpoint; see the module. All times are seconds on the caller's clock.

    Attributes:
        state: whether the endpoint gets requests.
        failures_in_row: failed requests since the last answer.
        times_ejected: ejections that are not forgiven yet, at most `TIMES_MAX`. One is forgiven per
            `OUT_S` times that many without a failure: it must do well for as long as it was out.
        ejections: all ejections so far.
        out_s: for how long the last ejection was, in seconds, jitter included.
        until_s: when that ends.
        trials: trial requests that run.
    """

    state: State = State.CLOSED
    failures_in_row: int = 0
    times_ejected: int = 0
    ejections: int = 0
    out_s: float = 0.0
    until_s: float = 0.0
    trials: int = 0
    _well_since_s: float = attrs.field(default=-math.inf, init=False)
    _is_unreachable: bool = attrs.field(default=False, init=False)

    # ---- before a request

    def look(self, now_s: float) -> State | None:
        """Let time pass: HALF_OPEN once the time out of service is over. Call it before `take`."""
        if self.state is State.OPEN and now_s >= self.until_s:
            return self._move(Event.DUE, now_s)
        return None

    def admits(self, now_s: float) -> bool:
        """Whether a request may be sent there now. Changes nothing."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN and now_s < self.until_s:
            return False
        return self.trials < TRIALS_MAX

    def take(self, now_s: float) -> bool:
        """A request is sent there; whether it is a trial, which the call at its end must say again.

        One that is sent although `admits` said no (because nothing better is left) is no trial, and
        what becomes of it decides nothing before the breaker is closed.
        """
        self.look(now_s)
        is_trial = self.state is State.HALF_OPEN and self.trials < TRIALS_MAX
        self.trials += is_trial
        return is_trial

    def next_due_s(self) -> float | None:
        """When `look` is wanted, or None."""
        return self.until_s if self.state is State.OPEN else None

    # ---- after a request: exactly one of these three

    def on_success(self, now_s: float, *, is_trial: bool = False) -> State | None:
        """A request was answered, be it with a refusal that is the caller's own fault."""
        self._end_trial(is_trial=is_trial)
        if self.state is State.CLOSED:
            self.failures_in_row = 0
            return None
        return self._move(Event.TRIAL_ANSWERED if is_trial else Event.ANSWERED, now_s)

    def on_failure(
        self,
        now_s: float,
        draw: float,
        *,
        may_eject: bool,
        is_unreachable: bool = False,
        is_trial: bool = False,
    ) -> State | None:
        """A request failed, and that is the endpoint's fault.

        Args:
            now_s: the time.
            draw: a random number in [0, 1), for the jitter.
            may_eject: whether the fleet can do without the endpoint. If not, the failure is counted
                all the same: the next one ejects, when that is allowed.
            is_unreachable: whether there was no connection, or it was cut.
            is_trial: what `take` said.
        """
        self._end_trial(is_trial=is_trial)
        event = self._failure(is_trial=is_trial, may_eject=may_eject)
        if self.state is State.CLOSED:
            self._forgive(now_s)
            self._well_since_s = now_s
        if self.state is State.CLOSED or is_trial:
            self.failures_in_row += 1
            self._is_unreachable = is_unreachable
        return self._move(event, now_s, draw)

    def on_unused(self, *, is_trial: bool = False) -> None:
        """A request ended without news of the endpoint: cancelled, or pushed back."""
        self._end_trial(is_trial=is_trial)

    # ---- probes

    def on_probe_up(self, now_s: float) -> State | None:
        """A probe was answered: it can be reached, which is all that a probe proves."""
        return self._move(Event.PROBE_REACHED, now_s) if self._is_unreachable else None

    def on_probe_down(self, now_s: float, draw: float, *, may_eject: bool) -> State | None:
        """The prober's threshold of failures is passed; also for each one that fails after that.

        Args:
            now_s: the time.
            draw: a random number in [0, 1), for the jitter.
            may_eject: whether the fleet can do without the endpoint.
        """
        if self.state is State.OPEN:
            self._is_unreachable = True  # whatever took it out, now it is this
        if not may_eject:
            return None
        self._is_unreachable = True
        if self.state is State.CLOSED:
            self._forgive(now_s)
        return self._move(Event.PROBE_DOWN, now_s, draw)

    # ---- inside

    def _failure(self, *, is_trial: bool, may_eject: bool) -> Event:
        if is_trial and self.state is not State.CLOSED:
            return Event.TRIAL_FAILED if may_eject else Event.FAILED
        is_last = self.failures_in_row + 1 >= FAILURES_MAX
        return Event.EXHAUSTED if is_last and may_eject else Event.FAILED

    def _end_trial(self, *, is_trial: bool) -> None:
        self.trials -= is_trial
        assert 0 <= self.trials <= TRIALS_MAX

    def _move(self, event: Event, now_s: float, draw: float = 0.0) -> State | None:
        after = TRANSITIONS[self.state][event]
        if after is self.state:
            return None
        self.state = after
        if after is State.OPEN:
            self._eject(now_s, draw)
        elif after is State.CLOSED:
            self.failures_in_row = 0
            self._is_unreachable = False
            self._well_since_s = now_s
        return after

    def _eject(self, now_s: float, draw: float) -> None:
        assert 0.0 <= draw < 1.0
        self.ejections += 1
        self.times_ejected = min(self.times_ejected + 1, TIMES_MAX)
        self.out_s = min(OUT_S * self.times_ejected, OUT_S_MAX) * (1.0 + JITTER * draw)
        self.until_s = now_s + self.out_s

    def _forgive(self, now_s: float) -> None:
        """Forget ejections that are long enough ago. Done when they would count, not before."""
        well_s = now_s - self._well_since_s
        while self.times_ejected and well_s >= OUT_S * self.times_ejected:
            well_s -= OUT_S * self.times_ejected
            self.times_ejected -= 1
