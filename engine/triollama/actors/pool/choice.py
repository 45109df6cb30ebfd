"""Which of the endpoints that may take a request gets it: pure functions.

`eligible` leaves those that may be used at all, in steps: each leaves some out, unless that would
leave none. `choose` takes the best of those with room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from triollama.actors.pool.endpoint import Endpoint
from triollama.actors.pool.estimate import Typical, cost
from triollama.actors.pool.messages import Acquire

UNSURE = 2.0
"""What it costs more to send a request where it may have to wait for a slot."""


def eligible(
    endpoints: Iterable[Endpoint], ask: Acquire, now_s: float, *, is_panic: bool
) -> list[Endpoint]:
    """The endpoints that may take a request, with or without room; empty if none ever may.

    Hard: the one that is asked for, the tags, not being drained, and not known to this request to
    lack the model. Soft, in this order: has the model; is in service; has not failed this request;
    and, for one that has failed before, is known to work.

    Args:
        endpoints: the fleet.
        ask: the request.
        now_s: the time.
        is_panic: whether too few are in service to be choosy.
    """
    may = [each for each in endpoints if _may(each, ask)]
    if len(may) <= 1:
        return may
    may = _those(may, lambda each: not each.lacks(ask.model, now_s))
    if not is_panic:
        may = _those(may, lambda each: each.breaker.admits(now_s))
    if ask.tried:
        may = _those(may, lambda each: each.name not in ask.tried)
        # One that works is worth waiting for: it has failed already, and has not many attempts.
        may = _those(may, lambda each: each.is_standing)
    return may


def _may(endpoint: Endpoint, ask: Acquire) -> bool:
    return (
        not endpoint.is_draining
        and endpoint.name not in ask.excluded
        and (not ask.only or endpoint.name == ask.only)
        and ask.tags <= endpoint.config.tags
    )


def _those(endpoints: list[Endpoint], fits: Callable[[Endpoint], bool]) -> list[Endpoint]:
    return [each for each in endpoints if fits(each)] or endpoints


def choose(free: Sequence[Endpoint], ask: Acquire, now_s: float, typical: Typical) -> Endpoint:
    """The best endpoint: the most preferred, and of two of these, drawn at random, the cheaper.

    The power of two choices (Mitzenmacher, 2001): nearly as even as always taking the cheapest, but
    what is known a little late does not send everybody to the same one.

    Args:
        free: those with room; at least one.
        ask: the request.
        now_s: the time.
        typical: the fleet's time to first token for this model.
    """
    if len(free) == 1:
        return free[0]
    ranked = [(each.preference(ask.model, ask.runner, now_s), each) for each in free]
    best = min(rank for rank, _ in ranked)
    preferred = [each for rank, each in ranked if rank == best]
    if len(preferred) == 1:
        return preferred[0]
    fleet_s = typical.value_s()
    pair = _two(_sure_first(preferred, ask), ask.draw)
    return min(pair, key=lambda each: _cost(each, ask.model, now_s, fleet_s))


def _sure_first(preferred: list[Endpoint], ask: Acquire) -> list[Endpoint]:
    """Those that surely have a free slot, if there are two; if there is one, it and another.

    Whether a server has one more slot than it is known to have is tried when all others are full,
    or much slower.
    """
    sure = [each for each in preferred if each.is_sure(ask.model)]
    if len(sure) != 1:
        return sure or preferred
    others = [each for each in preferred if each is not sure[0]]
    return [sure[0], others[int(ask.draw * len(others))]]


def _two(endpoints: list[Endpoint], draw: float) -> tuple[Endpoint, Endpoint]:
    """Two different ones."""
    count = len(endpoints)
    pair = int(draw * count * (count - 1))
    first, second = divmod(pair, count - 1)
    return endpoints[first], endpoints[second + (second >= first)]


def _cost(endpoint: Endpoint, model: str, now_s: float, fleet_s: float) -> tuple[float, int]:
    state = endpoint.model(model)
    weight = endpoint.config.weight
    price = state.estimate.price(now_s, fleet_s)
    if not endpoint.is_sure(model):
        price *= UNSURE
    # With equal costs the one that was used longest ago.
    return cost(price, endpoint.in_flight, state.slots.limit, weight), endpoint.last_granted
