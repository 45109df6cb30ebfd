"""How many requests to send at once to one model of one endpoint: given, or learnt. Pure.

Owns: the learnt number, and the order in which requests were sent and left. Accepts: sent, first
token, done, failed, pushed back. Bounded by: 1 and `most`; `ENDS_MAX` times of the past.

An Ollama server works on a fixed number of requests per model and lets the others wait in line,
first come first served, without saying so. When an answer is whole, what its times do not account
for is the time it waited in that line, so it is known when it got its slot. All that was sent
before it and had not left by then had a slot too. Requests are numbered as they are sent: if n got
its slot when D of the earlier ones had left, n - D were in slots. That is a reading:

* it did not wait: there are at least n - D slots;
* it waited: there are exactly n - D. The first token of n proves the same lower bound, sooner.

As long as nothing has waited the number doubles whenever readings prove all of it; later it rises
by an eighth, at least 1. A wait lowers it to the median of the exact readings, at most by half at a
time and not below the number of requests that are answering; then it stays for a while. Push-back
halves it, once per round. With less demand than slots nothing is proven, and nothing changes.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque

import attrs

SLOTS_START = 4
"""Before anything is known. Ollama's default is 1 since 0.10, 4 before; too many at once cost the
surplus a wait, too few cost a fast server a few doublings."""

WAIT_S_MIN = 0.1
"""Shorter waits are not waits but what the server does beside, in seconds: reading the request,
rendering and tokenising the prompt."""

WAIT_SHARE_MIN = 0.1
"""Nor are waits below this share of the time of service: what a server does beside grows with
it."""

TIE_S = 0.05
"""A request gets its slot when another leaves. The two are timed by different clocks, in the end by
the arrival of packets; this is how far apart they may seem, in seconds."""

HOLD_S = 5.0
"""After a wait the number stays for this time, in seconds, doubled each time up to `HOLD_S_MAX`:
each attempt at one more costs a request a wait that it might not have had elsewhere."""

HOLD_S_MAX = 40.0
"""The longest of these times, in seconds: so long a server that has got more slots is not
noticed."""

RACE_S = 0.02
"""Requests that are sent within this time may arrive in another order, in seconds: each opens or
reuses a connection of its own. To prove slots, each counts as the first of them."""

READINGS_MAX = 5
"""Exact readings of which the median counts. Requests that are sent at the same moment may arrive
in another order, which makes one reading too low and another too high."""

ENDS_MAX = 1_024
"""Times of departure that are kept. A reading looks back over one time of service, in which about
as many leave as there are slots."""

LOST_MAX = 32
"""Departures without an answer that are kept, to count only those from before in line."""


@attrs.define
class Slots:
    """The number of slots for one model of one endpoint; see the module.

    Every request is announced by `on_sent`, and ends with exactly one of `on_done`, `on_failed` and
    `on_pushed_back`. Each of those, and `on_first_token`, returns the new limit, or None if it did
    not change. All times are seconds on the caller's clock, which never goes back.

    Args:
        most: the largest number, `max_in_flight` of the endpoint; at least 1. May be set later by
            `bound`.
        given: `num_parallel` of the endpoint: the number, not to be learnt; None to learn it.

    Attributes:
        limit: how many requests to have there at once, 1 to `most`.
        in_flight: how many are.
    """

    most: int
    given: int | None = None
    limit: int = attrs.field(init=False)
    in_flight: int = attrs.field(default=0, init=False)
    _measured: int = attrs.field(default=0, init=False)
    _sent: int = attrs.field(default=0, init=False)
    _left: int = attrs.field(default=0, init=False)
    _is_new: bool = attrs.field(default=True, init=False)
    _held_at: int = attrs.field(default=-1, init=False)
    _held_until_s: float = attrs.field(default=-math.inf, init=False)
    _hold_s: float = attrs.field(default=HOLD_S, init=False)
    _cut_at: int = attrs.field(default=0, init=False)
    _burst_s: float = attrs.field(default=-math.inf, init=False)
    _burst_from: int = attrs.field(default=0, init=False)
    _surely: dict[int, int] = attrs.field(factory=dict, init=False, repr=False)
    _answering: set[int] = attrs.field(factory=set, init=False, repr=False)
    _readings: deque[int] = attrs.field(
        factory=lambda: deque(maxlen=READINGS_MAX), init=False, repr=False
    )
    _ends: list[float] = attrs.field(factory=list, init=False, repr=False)
    _lost_last: int = attrs.field(default=0, init=False)
    _lost: deque[tuple[float, int]] = attrs.field(
        factory=lambda: deque(maxlen=LOST_MAX), init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        assert self.most >= 1
        assert self.given is None or self.given >= 1
        self.limit = min(self.given or SLOTS_START, self.most)

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self.in_flight < self.limit

    @property
    def is_sure(self) -> bool:
        """Whether one more would not wait, as far as is known: others have, beyond that number."""
        return self.in_flight < (self._measured or self.limit)

    def on_sent(self, now_s: float) -> int:
        """A request is sent there; returns its number, which the other calls want."""
        self.in_flight += 1
        self._sent += 1
        if now_s - self._burst_s > RACE_S:
            self._burst_s, self._burst_from = now_s, self._sent
        self._surely[self._sent] = self._burst_from
        return self._sent

    def on_first_token(self, number: int, now_s: float) -> int | None:
        """The first token came: the request has a slot. Left out where nothing is streamed."""
        self._answering.add(number)
        return self._prove(max(self._surely[number] - self._left, len(self._answering)), now_s)

    def on_done(
        self, number: int, slot_wait_s: float | None, service_s: float | None, now_s: float
    ) -> int | None:
        """The answer is whole.

        Args:
            number: what `on_sent` returned.
            slot_wait_s: how long it waited for a slot, in seconds: `total - load - prompt_eval -
                eval` of its last line, but no more than the time to its first token; None if those
                figures are missing.
            service_s: how long before `now_s` it got its slot, in seconds: the time since sending
                less load and wait, so that a slow reader's time is in it; None as above.
            now_s: the time.
        """
        surely = self._leave(number, now_s)
        if slot_wait_s is None or service_s is None or self.given is not None:
            return None
        if number <= self._cut_at:
            return None  # it tells of the time before the push-back
        # One leaves every service_s / limit; half of that still tells two of them apart.
        began_s = now_s - service_s + min(TIE_S, service_s / (2 * self.limit))
        if slot_wait_s > max(WAIT_S_MIN, WAIT_SHARE_MIN * service_s):
            return self._settle(self._reading(number, began_s), now_s)
        return self._prove(self._reading(surely, began_s), now_s)

    def on_failed(self, number: int, now_s: float) -> None:
        """It ended without an answer: failed, refused or cancelled. Says nothing about slots."""
        self._leave(number, now_s)
        self._lost.append((now_s, number))
        self._lost_last = max(self._lost_last, number)

    def on_pushed_back(self, number: int, now_s: float) -> int | None:
        """The server asked for less. Of the requests that were sent together only one counts."""
        self.on_failed(number, now_s)
        if number <= self._cut_at:
            return None
        self._cut_at = self._sent
        if self.given is not None:
            return None
        self._hold(0, now_s)
        return self._set(self.limit // 2)

    def bound(self, most: int, given: int | None) -> int | None:
        """The endpoint's configuration has changed; returns the new limit, or None."""
        assert most >= 1
        assert given is None or given >= 1
        self.most, self.given = most, given
        return self._set(given or self.limit)

    def restart(self) -> int | None:
        """The server is another one now, or was away: learn anew, from the beginning."""
        self._is_new, self._held_at, self._held_until_s = True, -1, -math.inf
        self._measured = 0
        self._readings.clear()
        return self._set(self.given or SLOTS_START)

    # ---- inside

    def _leave(self, number: int, now_s: float) -> int:
        """Take a request out; the number that it surely arrived with or after."""
        assert self.in_flight > 0
        assert 0 < number <= self._sent
        self.in_flight -= 1
        self._left += 1
        self._answering.discard(number)
        self._ends.append(now_s)
        if len(self._ends) > 2 * ENDS_MAX:
            del self._ends[:ENDS_MAX]  # now and then, not each time: a list moves all the rest
        return self._surely.pop(number)

    def _reading(self, number: int, began_s: float) -> int:
        """How many were in slots when a request got its own. At least 1: itself."""
        left_later = len(self._ends) - bisect_right(self._ends, began_s)
        reading = number - (self._left - left_later)
        if self._lost_last > number:
            # One from behind it that left before it began was in line, not in a slot.
            reading += sum([at_s <= began_s and lost > number for at_s, lost in self._lost])
        return max(reading, 1)

    def _prove(self, slots: int, now_s: float) -> int | None:
        """There are at least so many slots."""
        if slots > self._measured > 0:
            self._measured = slots
        if slots < self.limit or now_s < self._held_until_s or self.given is not None:
            return None
        if self._readings and slots > _median(self._readings):
            self._readings.clear()  # there are more than there were
        return self._set(self.limit + (self.limit if self._is_new else max(self.limit // 8, 1)))

    def _settle(self, slots: int, now_s: float) -> int | None:
        """There are just so many slots, by one reading more."""
        self._readings.append(slots)
        slots = self._measured = max(_median(self._readings), len(self._answering))
        if slots >= self.limit:
            return self._set(slots)
        self._hold(slots, now_s)
        return self._set(max(slots, self.limit // 2))

    def _hold(self, slots: int, now_s: float) -> None:
        """Stay for a while; longer if the last attempt to have more failed at the same number."""
        is_same = slots == self._held_at
        self._hold_s = min(2.0 * self._hold_s, HOLD_S_MAX) if is_same else HOLD_S
        self._held_at = slots
        self._held_until_s = now_s + self._hold_s
        self._is_new = False

    def _set(self, limit: int) -> int | None:
        limit = max(min(limit, self.most), 1)
        if limit == self.limit:
            return None
        self.limit = limit
        return limit


def _median(readings: deque[int]) -> int:
    """The upper one of an even number: a slot that is not used costs more than a wait."""
    return sorted(readings)[len(readings) // 2]
