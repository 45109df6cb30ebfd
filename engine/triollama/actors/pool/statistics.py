"""The pool's numbers at one moment."""

from __future__ import annotations

import attrs

from triollama.actors.pool.endpoint import Endpoint
from triollama.actors.pool.estimate import Typical


@attrs.frozen
class EndpointStatistics:
    """One endpoint, as the pool sees it.

    Attributes:
        name: as configured.
        state: of its breaker: ``closed`` (in service), ``open`` (out) or ``half-open`` (on trial).
        out_s: for how long it is still out of service, in seconds.
        is_draining: whether it gets nothing new, because it is to be drained or removed.
        in_flight: leases given and not yet released.
        in_flight_max: the limit.
        slots: how many requests it gets at once for each model, given or learnt.
        granted: leases given so far.
        outcomes: how many of those ended how, by `Outcome` value.
        failures_in_row: failures since the last answer.
        times_ejected: ejections that are not forgiven yet.
        version: what it runs; empty if unknown.
        loaded: keys of the models that are in memory, as far as is known.
        available: how many models it has; None if unknown.
        first_token_s: the predicted time to first token, over its loaded models, in seconds; None
            if there is none.
        weight: its share of the traffic, relative to the others.
        tags: what it is or has.
    """

    name: str
    state: str
    out_s: float
    is_draining: bool
    in_flight: int
    in_flight_max: int
    slots: dict[str, int]
    granted: int
    outcomes: dict[str, int]
    failures_in_row: int
    times_ejected: int
    version: str
    loaded: tuple[str, ...]
    available: int | None
    first_token_s: float | None
    weight: float
    tags: frozenset[str]


@attrs.frozen
class PoolStatistics:
    """The pool.

    Attributes:
        endpoints: one entry each, in the order in which they were added.
        waiting: requests in line.
        waiting_bytes: their bodies together.
        granted: leases given so far.
        refused: requests that were told no.
        predicted_wait_s: how long one more would wait in line, in seconds.
    """

    endpoints: tuple[EndpointStatistics, ...]
    waiting: int
    waiting_bytes: int
    granted: int
    refused: int
    predicted_wait_s: float


def describe(endpoint: Endpoint, typical: dict[str, Typical], now_s: float) -> EndpointStatistics:
    """One endpoint's numbers."""
    loaded = {key: each for key, each in endpoint.models.items() if each.is_loaded}
    predicted = [
        each.estimate.value(now_s, typical[key].value_s())
        for key, each in loaded.items()
        if key in typical
    ]
    breaker = endpoint.breaker
    return EndpointStatistics(
        name=endpoint.name,
        state=breaker.state.value,
        out_s=max((breaker.next_due_s() or now_s) - now_s, 0.0),
        is_draining=endpoint.is_draining,
        in_flight=endpoint.in_flight,
        in_flight_max=endpoint.config.max_in_flight,
        slots={key: each.slots.limit for key, each in endpoint.models.items()},
        granted=endpoint.granted,
        outcomes=dict(endpoint.outcomes),
        failures_in_row=breaker.failures_in_row,
        times_ejected=breaker.times_ejected,
        version=endpoint.version,
        loaded=tuple(sorted(loaded)),
        available=None if endpoint.available is None else len(endpoint.available),
        first_token_s=max(predicted) if predicted else None,
        weight=endpoint.config.weight,
        tags=endpoint.config.tags,
    )
