"""The line of those who wait for an endpoint. Pure.

Owns: who waits, in what order, and until when. Requests that the same endpoints may take form a
*class*, so that a place that is free is offered to the first of each class, not to all who wait.

Within a class, by level, then by fair turn. The level is the priority; a request rises one level
for each `AGE_S` in which none of its caller and priority got its turn, so it is served in the end
whatever comes. A request that was sent before is above all levels: its reader waits in the middle
of an answer. The fair turn is a start tag of start-time fair queueing (Goyal, Vin and Cheng, 1996):
each caller's requests are tagged one apart, from the tag that is being served on; so a caller with
fifty requests in line gets its turn no sooner than one with a single request.

Bounds: `line_max` requests, `line_bytes_max` bytes of their bodies together. Of a full line the
caller with the most in it gives way to one with less.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterator

import attrs

from triollama.actors.pool.messages import Acquire

AGE_S = 30.0
"""After so long without a turn a request counts as one level of priority higher."""

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


@attrs.define
class _Queue:
    """What one caller has in line with one priority, by ticket, and when it last had its turn."""

    asks: dict[int, Acquire] = attrs.field(factory=dict)
    served_s: float = -math.inf


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
        self._tags: dict[int, float] = {}
        self._queues: dict[tuple[int, str], _Queue] = {}
        self._counts: dict[str, int] = {}
        self._classes: dict[Hashable, _Class] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._left = 0
        self._served_tag = 0.0
        self._last_tags: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, ticket: object) -> bool:
        return ticket in self._waiting

    def has_room(self, ask: Acquire) -> bool:
        """Whether a request may wait. One that was sent before always may."""
        if ask.has_begun:
            return True
        fits = self.waiting_bytes + ask.body_bytes <= self._line_bytes_max
        return len(self._waiting) < self._line_max and fits

    def who_gives_way(self, ask: Acquire) -> Acquire | None:
        """Who has to leave a full line for a request; None if nobody does.

        Of the callers who have a request of no higher priority, it is the one with the most in
        line, in all priorities together, if that has at least two more than the one who asks; and
        of its requests the one that would be served last.
        """
        level, counts = _level_of(ask), self._counts
        others = [who for at, who in self._queues if at <= level]
        longest = max(others, key=counts.__getitem__, default=ask.caller)
        if counts.get(longest, 0) <= counts.get(ask.caller, 0) + 1:
            return None
        lowest = min(at for at, who in self._queues if who == longest)
        last = next(reversed(self._queues[lowest, longest].asks.values()))
        bytes_then = self.waiting_bytes - last.body_bytes + ask.body_bytes
        return last if bytes_then <= self._line_bytes_max else None

    def ahead_of(self, ask: Acquire) -> int:
        """How many would be served before a request that joins now, about: each caller in turn."""
        level, key = _level_of(ask), _key_of(ask)
        own = len(self._queues.get(key, _NOTHING).asks)
        return own + sum(
            len(each.asks) if at > level else min(len(each.asks), own + 1)
            for (at, who), each in self._queues.items()
            if at >= level and (at, who) != key
        )

    def join(self, ask: Acquire) -> None:
        """A request waits from now on."""
        assert ask.ticket not in self._waiting
        tag = self._tag(ask.caller)
        self._waiting[ask.ticket] = ask
        self._tags[ask.ticket] = tag
        self._queues.setdefault(_key_of(ask), _Queue()).asks[ask.ticket] = ask
        self._counts[ask.caller] = self._counts.get(ask.caller, 0) + 1
        self.waiting_bytes += ask.body_bytes
        levels = self._classes.setdefault(_class_of(ask), _Class()).levels
        heapq.heappush(levels.setdefault(_level_of(ask), []), (tag, ask.ticket, ask))
        heapq.heappush(self._deadlines, (ask.deadline_s, ask.ticket))

    def leave(self, ticket: int) -> Acquire | None:
        """A request waits no longer; None if it did not."""
        ask = self._waiting.pop(ticket, None)
        if ask is not None:
            del self._tags[ticket]
            key = _key_of(ask)
            del self._queues[key].asks[ticket]
            if not self._queues[key].asks:
                del self._queues[key]
            self._counts[ask.caller] -= 1
            if not self._counts[ask.caller]:
                del self._counts[ask.caller]
            self.waiting_bytes -= ask.body_bytes
            self._left += 1
            if self._left > max(LEFT_MAX, len(self._waiting)):
                self._clean_up()
        return ask

    def serve(self, ask: Acquire, now_s: float) -> None:
        """A request waits no longer, because it has got a place: all turns count from there.

        One that is refused has to `leave`: else its caller's others would wait the longer for it.
        """
        self._served_tag = max(self._served_tag, self._tags[ask.ticket])
        self._queues[_key_of(ask)].served_s = now_s
        self.leave(ask.ticket)

    def heads(self, now_s: float) -> Iterator[Acquire]:
        """The first of each class, the first of all first. Do not change the line meanwhile."""
        found = []
        for key in list(self._classes):
            head = self._head(self._classes[key], now_s)
            if head is None:
                del self._classes[key]
                continue
            level, (tag, ticket, ask) = head
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
        """How many are before a request, by level and turn; None if it does not wait."""
        if ticket not in self._waiting:
            return None
        own = self._rank(ticket)
        return sum(self._rank(each) < own for each in self._waiting)

    # ---- inside

    def _rank(self, ticket: int) -> tuple[int, float, int]:
        return -_level_of(self._waiting[ticket]), self._tags[ticket], ticket

    def _head(self, group: _Class, now_s: float) -> tuple[int, _Place] | None:
        best: tuple[int, _Place] | None = None
        for level in list(group.levels):
            places = group.levels[level]
            while places and places[0][1] not in self._waiting:
                heapq.heappop(places)
            if not places:
                del group.levels[level]
                continue
            ask = places[0][2]
            since_s = max(ask.asked_s, self._queues[_key_of(ask)].served_s)
            aged = level + int((now_s - since_s) / AGE_S)
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


_NOTHING = _Queue()


def _level_of(ask: Acquire) -> int:
    return BEGUN_LEVEL if ask.has_begun else ask.priority


def _key_of(ask: Acquire) -> tuple[int, str]:
    return _level_of(ask), ask.caller


def _class_of(ask: Acquire) -> Hashable:
    return ask.model, ask.runner, ask.only, ask.tags, ask.excluded, ask.tried
