"""The line of those who wait for an endpoint. Pure.

Owns: who waits, in what order, and until when. Requests that the same endpoints may take form a
*class*, so that a place that is free is offered to the first of each class, not to all who wait.

Within a class, by level, then by fair turn. The level is the priority; a request that waits rises
one level per `AGE_S`, so it is served in the end whatever comes. A request that was sent before is
above all levels: its reader waits in the middle of an answer. The fair turn is a start tag of
start-time fair queueing (Goyal, Vin and Cheng, 1996): each caller's requests are tagged one apart,
from the tag that is being served on; so a caller with fifty requests in line gets its turn no
sooner than one with a single request.

Bounds: `line_max` requests, `line_bytes_max` bytes of their bodies together.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator

import attrs

from triollama.actors.pool.messages import Acquire

AGE_S = 30.0
"""After this much waiting a request counts as one level of priority higher."""

BEGUN_LEVEL = 1_000
"""Above all priorities, and what age may add to them."""

CALLERS_MAX = 10_000
"""Callers whose last tag is remembered; those who are up to date are forgotten first."""

LEFT_MAX = 100
"""Those who left stay in the heaps until there are so many of them, and more than who wait: so
leaving costs little, and no memory."""

_Place = tuple[float, int, Acquire]


@attrs.define
class _Class:
    """Requests that the same endpoints may take: for each level those who wait, by tag."""

    levels: dict[int, list[_Place]] = attrs.field(factory=dict)


class Line:
    """See the module.

    Args:
        line_max: requests that may wait.
        line_bytes_max: bytes of their bodies together.

    Attributes:
        waiting_bytes: those bytes now.
    """

    def __init__(self, line_max: int, line_bytes_max: int) -> None:
        self.waiting_bytes = 0
        self._line_max = line_max
        self._line_bytes_max = line_bytes_max
        self._waiting: dict[int, Acquire] = {}
        self._classes: dict[Hashable, _Class] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._left = 0
        self._served_tag = 0.0
        self._last_tags: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self, ask: Acquire) -> bool:
        """Whether a request may wait. One that was sent before always may."""
        if ask.has_begun:
            return True
        fits = self.waiting_bytes + ask.body_bytes <= self._line_bytes_max
        return len(self._waiting) < self._line_max and fits

    def join(self, ask: Acquire) -> None:
        """A request waits from now on."""
        assert ask.ticket not in self._waiting
        self._waiting[ask.ticket] = ask
        self.waiting_bytes += ask.body_bytes
        levels = self._classes.setdefault(_class_of(ask), _Class()).levels
        level = BEGUN_LEVEL if ask.has_begun else ask.priority
        heapq.heappush(levels.setdefault(level, []), (self._tag(ask.caller), ask.ticket, ask))
        heapq.heappush(self._deadlines, (ask.deadline_s, ask.ticket))

    def leave(self, ticket: int) -> Acquire | None:
        """A request waits no longer; None if it did not."""
        ask = self._waiting.pop(ticket, None)
        if ask is not None:
            self.waiting_bytes -= ask.body_bytes
            self._left += 1
            if self._left > max(LEFT_MAX, len(self._waiting)):
                self._clean_up()
        return ask

    def serve(self, ask: Acquire) -> None:
        """A request waits no longer, because it is its turn: the others' turns count from there."""
        tag = self._heads[ask.ticket]
        self._served_tag = max(self._served_tag, tag)
        self.leave(ask.ticket)

    def heads(self, now_s: float) -> Iterator[Acquire]:
        """The first of each class, the first of all first. Do not change the line meanwhile."""
        self._heads: dict[int, float] = {}
        found = []
        for key in list(self._classes):
            head = self._head(self._classes[key], now_s)
            if head is None:
                del self._classes[key]
                continue
            level, (tag, ticket, ask) = head
            self._heads[ticket] = tag
            found.append((-level, tag, ticket, ask))
        found.sort(key=lambda each: each[:3])
        return (ask for *_, ask in found)

    def late(self, now_s: float) -> list[Acquire]:
        """Take out those whose deadline has come."""
        late = []
        while self._deadlines and self._deadlines[0][0] <= now_s:
            _, ticket = heapq.heappop(self._deadlines)
            ask = self.leave(ticket)
            if ask is not None:
                late.append(ask)
        return late

    def next_deadline_s(self) -> float | None:
        """When the next one comes, or None."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][1] not in self._waiting:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def waiting(self) -> list[Acquire]:
        """All who wait, in no order."""
        return list(self._waiting.values())

    def place_of(self, ticket: int) -> int | None:
        """How many are before a request, by level and arrival; None if it does not wait."""
        own = self._waiting.get(ticket)
        if own is None:
            return None
        rank = (-own.has_begun, -own.priority, own.ticket)
        return sum(
            (-each.has_begun, -each.priority, each.ticket) < rank for each in self._waiting.values()
        )

    # ---- inside

    def _head(self, group: _Class, now_s: float) -> tuple[int, _Place] | None:
        best: tuple[int, _Place] | None = None
        for level in list(group.levels):
            places = group.levels[level]
            while places and places[0][1] not in self._waiting:
                heapq.heappop(places)
            if not places:
                del group.levels[level]
                continue
            aged = level + int((now_s - places[0][2].asked_s) / AGE_S)
            if best is None or (aged, -places[0][0]) > (best[0], -best[1][0]):
                best = aged, places[0]
        return best

    def _clean_up(self) -> None:
        """Forget those who left: they were only passed over until now."""
        self._left = 0
        self._deadlines = [each for each in self._deadlines if each[1] in self._waiting]
        heapq.heapify(self._deadlines)
        for group in self._classes.values():
            for level, places in group.levels.items():
                group.levels[level] = [each for each in places if each[1] in self._waiting]
                heapq.heapify(group.levels[level])
        if not self._waiting:
            self._classes.clear()

    def _tag(self, caller: str) -> float:
        tag = max(self._served_tag, self._last_tags.get(caller, 0.0) + 1.0)
        self._last_tags[caller] = tag
        if len(self._last_tags) > CALLERS_MAX:
            behind = {who: at for who, at in self._last_tags.items() if at > self._served_tag}
            self._last_tags = behind if len(behind) <= CALLERS_MAX else {}
        return tag


def _class_of(ask: Acquire) -> Hashable:
    return ask.model, ask.runner, ask.only, ask.tags, ask.excluded, ask.tried
