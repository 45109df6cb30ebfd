"""The endpoint pool's shell.

Owns: the pool's core, and the tickets of those who wait.

Accepts: `acquire` and `release`, as plain calls. All actors live in one thread, so a call is as
atomic as a message, and a lease that can be granted at once costs no turn of a mailbox. The task
exists for time: it tells the core when the next deadline in line has come.

When full: `acquire` raises `OverloadError`. When cancelled while waiting, the place in line is
given up, and a lease that was granted in that moment is returned. When the task crashes, nothing is
lost: the state is in the core.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import trio

from triollama._config import EndpointConfig
from triollama._errors import FleetUnavailableError, TriollamaError
from triollama.actors.mailbox import ReplySlot
from triollama.actors.pool.core import PoolCore, PoolStatistics
from triollama.actors.pool.messages import (
    Abandon,
    Acquire,
    Granted,
    Lease,
    Outcome,
    PoolEffect,
    PoolMessage,
    Refused,
    Released,
    TimePassed,
)

_Answer = Lease | TriollamaError


class Pool:
    """Gives leases on endpoints.

    Args:
        endpoints: the fleet.
        line_max: see `EngineConfig.line_max`.
    """

    def __init__(self, endpoints: Iterable[EndpointConfig], *, line_max: int) -> None:
        limits = [(each.name, each.max_in_flight) for each in endpoints]
        self._core = PoolCore(limits, line_max=line_max)
        self._tickets = itertools.count(1)
        self._waiting: dict[int, ReplySlot[_Answer]] = {}
        self._due_s = math.inf
        self._due_changed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch the deadlines of the line until cancelled."""
        task_status.started()
        while True:
            with trio.move_on_at(self._due_s):
                await self._due_changed.wait()
            self._due_changed = trio.Event()
            if self._due_s <= trio.current_time():
                self._handle(TimePassed())
                self._due_s = self._core.next_due_s() or math.inf

    async def acquire(
        self,
        model: str,
        *,
        deadline_s: float = math.inf,
        excluded: frozenset[str] = frozenset(),
        only: str = "",
        priority: int = 0,
    ) -> Lease:
        """A lease on the endpoint that suits best; it must be given to `release`.

        If cancelled, no lease is held and no place in line.

        Args:
            model: normalised name of the model; empty where any endpoint will do.
            deadline_s: when waiting is pointless, on trio's clock.
            excluded: endpoints not to be used.
            only: the one endpoint to be used.
            priority: higher goes first.

        Raises:
            OverloadError: the line is full.
            DeadlineExceededError: the deadline came before a lease.
            FleetUnavailableError: no endpoint is left to try.
        """
        # Before, not after: a lease that was granted must not be lost to a cancellation here.
        await trio.lowlevel.checkpoint_if_cancelled()
        ticket = next(self._tickets)
        now_s = trio.current_time()
        ask = Acquire(ticket, model, deadline_s, now_s, excluded, only, priority)
        effects = self._core.handle(ask, now_s)
        # Asking frees no place, so the only effect there can be answers the one who asks.
        answer = _meaning(effects[0]) if effects else await self._wait(ticket, deadline_s)
        if isinstance(answer, Lease):
            return answer
        raise answer

    def release(self, lease: Lease, outcome: Outcome) -> None:
        """The lease is over. Never waits."""
        self._handle(Released(lease, outcome))

    def statistics(self) -> PoolStatistics:
        """A snapshot."""
        return self._core.statistics(trio.current_time())

    async def _wait(self, ticket: int, deadline_s: float) -> _Answer:
        slot = self._waiting[ticket] = ReplySlot()
        if deadline_s < self._due_s:
            self._due_s = deadline_s
            self._due_changed.set()
        try:
            return await slot.wait()
        except BaseException:
            given = slot.take()
            if isinstance(given, Lease):
                self.release(given, Outcome.UNUSED)
            self._handle(Abandon(ticket))
            raise
        finally:
            del self._waiting[ticket]

    def _handle(self, message: PoolMessage) -> None:
        for effect in self._core.handle(message, trio.current_time()):
            self._waiting[effect.ticket].fill(_meaning(effect))


def _meaning(effect: PoolEffect) -> _Answer:
    match effect:
        case Granted(_, lease):
            return lease
        case Refused(_, error):
            return error or FleetUnavailableError(())
