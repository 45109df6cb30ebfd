"""How soon an endpoint is likely to give its first token, and what it costs to choose it. Pure.

Owns: one moving average of times to first token, a penalty for failing fast, and a slow start.
Accepts: what was measured, and the time. Bounded by: the constants below; the state is a few
numbers. The pool compares two endpoints by `cost`, and counts a request as load when it chooses.

Without news an estimate drifts back to what is typical of the fleet: a slow endpoint is given a
request now and then, and so found to have recovered. Averages are taken of logarithms, because
times to first token spread over orders of magnitude with the prompt's length: one long prompt must
not make an endpoint look bad, nor the slow endpoint change what is typical.
"""

from __future__ import annotations

import math

import attrs

SMOOTH_S = 10.0
"""Time constant of the average, in seconds: what is older hardly counts if there was news since."""

WEIGHT_MIN = 0.1
"""A measurement counts at least this much, however soon it follows the last: bursts are
evidence."""

KEEP_S = 20.0
"""An estimate holds for this time without news, in seconds."""

FORGET_S = 20.0
"""Then it drifts to the fleet's typical time within this time, in seconds. With `KEEP_S`, a slow
endpoint is given one request every 30 to 40 s: often enough to find a recovery within a minute,
seldom enough to stay out of the 99th percentile of a fleet that serves a few requests a second."""

PENALTY = 8.0
"""A failure makes an endpoint this many times as dear. It must outweigh the requests in flight at
the others, for one that fails at once never has any in flight."""

PENALTY_MAX = 512.0
"""The most that failures make it dearer. Five in a row eject anyway; this is for one that fails
often, but not always."""

PENALTY_S = 10.0
"""Time constant with which a penalty fades, in seconds."""

SLOW_START_S = 10.0
"""After a recovery or an addition the share grows to the full one in this time, in seconds."""

SLOW_START_MIN = 0.1
"""The share at its beginning. Envoy's minimum weight in slow start."""

TTFT_S_MIN = 1e-4
"""Measurements below this count as this, in seconds: no model answers faster, and logarithms need
it."""

TTFT_S_UNKNOWN = 1.0
"""What is assumed before anything was measured anywhere, in seconds. Any value will do: costs are
only compared."""

TYPICAL_WEIGHT = 0.01
"""What one measurement counts for the fleet's typical time: about the last hundred do."""


@attrs.define
class Typical:
    """The fleet's typical time to first token: what estimates without news drift to.

    One for all endpoints (or one per model, where models differ much). Every first token of any
    endpoint is to be observed.
    """

    _log: float = attrs.field(default=math.log(TTFT_S_UNKNOWN), init=False)
    _weight: float = attrs.field(default=1.0, init=False)

    def observe(self, ttft_s: float) -> None:
        """A first token came, somewhere, that many seconds after sending."""
        self._log += self._weight * (math.log(max(ttft_s, TTFT_S_MIN)) - self._log)
        # 1, 1/2, 1/3 … down to the constant: at first all measurements count alike.
        self._weight = max(self._weight / (1.0 + self._weight), TYPICAL_WEIGHT)

    def value_s(self) -> float:
        """The typical time to first token, in seconds."""
        return math.exp(self._log)


@attrs.define
class Estimate:
    """What is known of the speed of one endpoint; see the module.

    All times are seconds on the caller's clock. A new one knows nothing, and counts as typical.
    """

    _log: float = attrs.field(default=0.0, init=False)
    _seen_s: float = attrs.field(default=-math.inf, init=False)
    _held_s: float = attrs.field(default=-math.inf, init=False)
    _penalty: float = attrs.field(default=0.0, init=False)
    _penalised_s: float = attrs.field(default=0.0, init=False)
    _ramp_until_s: float = attrs.field(default=-math.inf, init=False)

    def observe(self, ttft_s: float, now_s: float) -> None:
        """A first token came, that many seconds after sending."""
        weight = max(1.0 - math.exp((self._seen_s - now_s) / SMOOTH_S), WEIGHT_MIN)
        self._log += weight * (math.log(max(ttft_s, TTFT_S_MIN)) - self._log)
        self._seen_s = self._held_s = now_s

    def on_sent(self, now_s: float) -> None:
        """A request is sent there.

        If it is to find out how the endpoint is now, others do not follow it: the estimate holds
        for another `KEEP_S`, or until there is news.
        """
        if now_s - self._held_s > KEEP_S:
            self._held_s = now_s

    def penalise(self, now_s: float) -> None:
        """A request failed before its first token. Failures multiply, and fade."""
        penalty = (1.0 + self._penalty_now(now_s)) * PENALTY
        self._penalty = min(penalty, PENALTY_MAX) - 1.0
        self._penalised_s = now_s

    def begin_slow_start(self, now_s: float) -> None:
        """It was added, or it recovered: forget what was, and let its share grow."""
        self._seen_s = self._held_s = -math.inf
        self._log = self._penalty = 0.0
        self._ramp_until_s = now_s + SLOW_START_S

    def value(self, now_s: float, fleet_s: float) -> float:
        """The expected time to first token, in seconds, without penalty and slow start.

        Args:
            now_s: the time.
            fleet_s: what is typical of the fleet, in seconds: `Typical.value_s`.
        """
        if self._seen_s == -math.inf:
            return fleet_s
        own_s = math.exp(self._log)
        drift = (now_s - self._held_s - KEEP_S) / FORGET_S
        return own_s if drift <= 0.0 else own_s + (fleet_s - own_s) * min(drift, 1.0)

    def slow_start(self, now_s: float) -> float:
        """The share of the full traffic that it may have, from `SLOW_START_MIN` to 1."""
        left_s = self._ramp_until_s - now_s
        if left_s <= 0.0:
            return 1.0
        return max(1.0 - left_s / SLOW_START_S, SLOW_START_MIN)

    def price(self, now_s: float, fleet_s: float) -> float:
        """`value`, made dearer by penalties and the slow start."""
        price = self.value(now_s, fleet_s)
        if self._penalty:
            price *= 1.0 + self._penalty_now(now_s)
        return price / self.slow_start(now_s) if self._ramp_until_s > now_s else price

    def _penalty_now(self, now_s: float) -> float:
        return self._penalty * math.exp((self._penalised_s - now_s) / PENALTY_S)


def cost(price: float, in_flight: int, slots: int, weight: float = 1.0) -> float:
    """What it costs to send one more request to an endpoint; the cheaper of two is chosen.

    The expected time to first token times the load that the request would make: with equal costs
    the load is shared in proportion to speed, size and weight. Counting the request itself keeps an
    idle endpoint from being free, whatever its speed (as in Twitter's "peak EWMA" balancer,
    Finagle).

    Args:
        price: `Estimate.price`.
        in_flight: requests there, the ones just chosen included.
        slots: how many it works on at once, at least 1.
        weight: the share of the traffic it is configured for, relative to the others, over 0.
    """
    return price * (in_flight + 1) / (slots * weight)
