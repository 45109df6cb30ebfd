"""How many rows run at a time, and of which models: the decision. No IO, no clock, no randomness.

Each endpoint is there for one model at a time, as long as rows of it wait: a server that has to
change between models loads them again and again. A model may then have as many rows running as the
engine knows slots on its endpoints, and, where all endpoints are there for it, an overhang that
waits in the engine's line so that a slot that becomes free is used at once. Everything else waits
in the schedule, where its order can still be chosen.

Endpoints that are out of service count nothing, and those of which nothing is known yet
`SLOTS_FIRST`, one once something is known of others: one request makes it known. At least one row
may always run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

__all__ = ["Capacity", "EndpointLook"]

SLOTS_FIRST: Final = 4
"""As the engine: what it sends to a server that it does not know yet."""

OVERHANG: Final = 8
"""One row for so many slots is in the engine's line, at least one for each endpoint."""


@attrs.frozen
class EndpointLook:
    """One endpoint at one moment.

    Attributes:
        name: its name.
        is_in_service: whether it gets ordinary requests.
        slots: how many requests it works on at once, for each model of which that is known.
        in_flight_max: how many it gets at all.
        loaded: models in memory.
        available: models that it has; None if unknown.
    """

    name: str
    is_in_service: bool
    slots: Mapping[str, int]
    in_flight_max: int = 256
    loaded: frozenset[str] = frozenset()
    available: frozenset[str] | None = None

    def may_serve(self, model: str) -> bool:
        """Whether it has a model, as far as is known."""
        return self.available is None or model in self.available


class Capacity:
    """See the module.

    Args:
        rows_max: rows that run at a time at most.
        share: the share of the slots that may be used, more than 0 and at most 1.
        follows: whether the endpoints are followed; if not, `share` of `rows_max` rows run.

    Attributes:
        total: how many rows may run at a time.
        place_of: which model each endpoint is there for.
    """

    def __init__(self, rows_max: int, *, share: float = 1.0, follows: bool = True) -> None:
        assert rows_max >= 1
        assert 0.0 < share <= 1.0
        self.total = 1 if follows else max(1, math.floor(rows_max * share))
        self.place_of: dict[str, str] = {}
        self._follows = follows
        self._rows_max = rows_max
        self._share = share
        self._caps: dict[str, int] | None = {} if follows else None

    def cap(self, model: str) -> int:
        """How many rows of a model may run at a time."""
        if self._caps is None:
            return self.total
        return self._caps.get(model, 0)

    def look(
        self, endpoints: Sequence[EndpointLook], waiting: Mapping[str, int], starving: str | None
    ) -> None:
        """Take what is known now.

        Args:
            endpoints: the fleet.
            waiting: how many rows wait for each model.
            starving: a model that must get a place now; None if none must.
        """
        if not self._follows:
            return
        usable = [each for each in endpoints if each.is_in_service] or list(endpoints)
        self._assign(usable, waiting, starving)
        self._caps = self._count(usable)
        for model in waiting:  # nobody seems to have it: whoever is asked says so
            if not any(each.may_serve(model) for each in usable):
                self._caps[model] = SLOTS_FIRST
        slots = sum(self._caps.values())
        self.total = max(1, min(self._rows_max, math.floor(slots * self._share)))

    # ---- inside

    def _assign(
        self, usable: Sequence[EndpointLook], waiting: Mapping[str, int], starving: str | None
    ) -> None:
        before, self.place_of = self.place_of, {}
        places: dict[str, int] = {}
        for each in sorted(usable, key=lambda each: before.get(each.name, "") not in waiting):
            chosen = _choose(each, before.get(each.name), waiting, places)
            if chosen is not None:
                self.place_of[each.name] = chosen
                places[chosen] = places.get(chosen, 0) + 1
        if starving is not None and starving in waiting and starving not in places:
            can = [each for each in usable if each.may_serve(starving)]
            if can:
                best = max(can, key=lambda each: starving in each.loaded)
                self.place_of[best.name] = starving

    def _count(self, usable: Sequence[EndpointLook]) -> dict[str, int]:
        caps: dict[str, int] = {}
        is_known = any(self.place_of.get(each.name) in each.slots for each in usable)
        for each in usable:
            model = self.place_of.get(each.name)
            if model is None:
                continue
            slots = each.slots.get(model, 1 if is_known else SLOTS_FIRST)
            caps[model] = caps.get(model, 0) + min(slots, each.in_flight_max)
        if len(caps) == 1 and self._share == 1.0:
            # With two, the overhang of one would be sent to the endpoints of the other.
            model, slots = next(iter(caps.items()))
            caps[model] = slots + max(len(self.place_of), slots // OVERHANG)
        return caps


def _choose(
    endpoint: EndpointLook,
    before: str | None,
    waiting: Mapping[str, int],
    places: Mapping[str, int],
) -> str | None:
    """The model that an endpoint is there for; None if no rows wait that it can answer.

    The one before, if rows of it wait and it was not driven out of memory by another that waits;
    else one that is loaded; else the one with the most rows for each endpoint that it has.
    """
    can = [model for model in waiting if endpoint.may_serve(model)]
    if not can:
        return before
    if before in can and (before in endpoint.loaded or endpoint.loaded.isdisjoint(can)):
        return before
    can = [model for model in can if model in endpoint.loaded] or can
    return max(can, key=lambda model: (waiting[model] / (1 + places.get(model, 0)), model))
