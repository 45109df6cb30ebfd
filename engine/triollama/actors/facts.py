"""The telemetry actor: counts the facts, and passes them on to those who subscribed.

Owns: how many facts of each class there were, and the buffer of each subscription. It needs no
task: to publish is a plain call that never waits, in the task to which the fact happened.

When a subscriber's buffer is full: the newest fact is dropped and counted, so that what is there
stays without a gap up to the first loss, and nobody who publishes is held up. When a subscriber is
cancelled while it waits: no fact is lost. When the hub is closed: what is buffered can still be
read, then each iteration ends.

Bounds: `CAPACITY_MAX` facts for one subscription.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import attrs
import trio

from triollama._errors import ConfigError, EngineClosedError
from triollama._facts import Fact

CAPACITY_DEFAULT = 1_000
"""Facts that wait for a subscriber: half a second of a busy engine's (2,000 a second)."""

CAPACITY_MAX = 100_000
"""The most that a subscription may ask for: at some 200 bytes each, 20 MB for one never read."""


@attrs.frozen(kw_only=True)
class SubscriptionStatistics:
    """One subscription.

    Attributes:
        waiting: facts not yet read.
        capacity: the most that can wait.
        dropped: facts that came while it was full.
    """

    waiting: int
    capacity: int
    dropped: int


@attrs.frozen(kw_only=True)
class FactStatistics:
    """The hub.

    Attributes:
        published: how many facts there were, by the name of their class. Those that are made only
            while somebody listens are missing for the times when nobody did.
        subscriptions: one entry for each that is open.
        dropped: facts that did not reach a subscriber, those of ended subscriptions included.
    """

    published: Mapping[str, int]
    subscriptions: tuple[SubscriptionStatistics, ...]
    dropped: int


class Subscription(AsyncIterator[Fact]):
    """The facts that one subscriber has not read yet; an asynchronous iterator.

    Made by `FactHub.subscribe`. The iteration ends when the hub is closed, or the block of the
    subscription is left, and everything buffered has been read. If cancelled while it waits for a
    fact, none is lost: the next iteration gets it. Several tasks may read; each fact goes to one of
    them.

    Attributes:
        dropped: facts that came while the buffer was full.
    """

    def __init__(self, capacity: int, kinds: tuple[type[Fact], ...]) -> None:
        self.dropped = 0
        self._capacity = capacity
        self._kinds = kinds
        self._send, self._receive = trio.open_memory_channel[Fact](capacity)

    async def __anext__(self) -> Fact:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __repr__(self) -> str:
        return f"<{self.statistics()}>"

    def statistics(self) -> SubscriptionStatistics:
        """A snapshot."""
        waiting = self._receive.statistics().current_buffer_used
        return SubscriptionStatistics(
            waiting=waiting, capacity=self._capacity, dropped=self.dropped
        )

    def _offer(self, fact: Fact) -> bool:
        """Buffer a fact if it is wanted; False if there was no room."""
        if isinstance(fact, self._kinds):
            try:
                self._send.send_nowait(fact)
            except trio.WouldBlock:
                self.dropped += 1
                return False
        return True

    def _end(self) -> None:
        self._send.close()


class FactHub:
    """Where the actors publish what happened.

    Attributes:
        is_heard: whether anybody subscribes. On a path that is walked per request, ask it before
            making a fact that nobody needs counted.
    """

    def __init__(self) -> None:
        self.is_heard = False
        self._is_closed = False
        self._subscriptions: tuple[Subscription, ...] = ()
        self._published: defaultdict[type[Fact], int] = defaultdict(int)
        self._dropped = 0

    def publish(self, fact: Fact) -> None:
        """Count a fact and give it to those who want it. Never waits, and never fails.

        Once the hub is closed it is only counted.
        """
        self._published[type(fact)] += 1
        for subscription in self._subscriptions:
            if not subscription._offer(fact):  # noqa: SLF001 - the hub's own half of it
                self._dropped += 1

    def subscribe(
        self, capacity: int = CAPACITY_DEFAULT, kinds: tuple[type[Fact], ...] = ()
    ) -> AbstractContextManager[Subscription]:
        """Listen for as long as a block runs, from its beginning.

        Args:
            capacity: facts that may wait to be read, 1 to `CAPACITY_MAX`; further ones are dropped.
            kinds: only facts of these classes, and of those derived from them; empty means all.

        Raises:
            ConfigError: a capacity or a kind that cannot be.
            EngineClosedError: the hub is closed; raised by entering the block.
        """
        is_count = isinstance(capacity, int) and not isinstance(capacity, bool)
        if not is_count or not 1 <= capacity <= CAPACITY_MAX:
            raise ConfigError(f"capacity must be a whole number from 1 to {CAPACITY_MAX:,}")
        if not isinstance(kinds, tuple) or not all(map(_is_kind, kinds)):
            raise ConfigError("kinds must be a tuple of classes of facts")
        return self._subscribed(capacity, kinds or (Fact,))

    def close(self) -> None:
        """End all subscriptions, each after what is buffered; nobody can subscribe any more."""
        self._is_closed = True
        subscriptions, self._subscriptions = self._subscriptions, ()
        self.is_heard = False
        for subscription in subscriptions:
            subscription._end()  # noqa: SLF001 - the hub's own half of it

    def statistics(self) -> FactStatistics:
        """A snapshot."""
        return FactStatistics(
            published={kind.__name__: count for kind, count in self._published.items()},
            subscriptions=tuple(each.statistics() for each in self._subscriptions),
            dropped=self._dropped,
        )

    @contextmanager
    def _subscribed(self, capacity: int, kinds: tuple[type[Fact], ...]) -> Iterator[Subscription]:
        if self._is_closed:
            raise EngineClosedError("the engine is closed, nothing happens there any more")
        subscription = Subscription(capacity, kinds)
        self._subscriptions += (subscription,)
        self.is_heard = True
        try:
            yield subscription
        finally:
            self._subscriptions = tuple(x for x in self._subscriptions if x is not subscription)
            self.is_heard = bool(self._subscriptions)
            subscription._end()  # noqa: SLF001 - the hub's own half of it


def _is_kind(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Fact)
