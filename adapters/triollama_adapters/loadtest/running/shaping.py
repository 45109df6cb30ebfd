"""When sessions begin, as the plan's shape says; and when all of it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import trio

from triollama_adapters.loadtest.arrivals.closed import starts_ns
from triollama_adapters.loadtest.plan import ClosedLoop, Plan
from triollama_adapters.loadtest.running.ahead import SessionsAhead
from triollama_adapters.loadtest.running.asking import Asking
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.targets.clock import RunClock

__all__ = ["Load"]

_NS: Final = 1_000_000_000

MAKING_NS: Final = 2_000_000
"""So much time there must be until the next one is due, for another one to be made meanwhile."""


@attrs.define
class Load:
    """One process's load, from the run's beginning to the end of its drain.

    Attributes:
        plan: the whole run's.
        process: which of its processes.
        clock: of the run, which has begun.
        asking: asks.
        sessions: of this process.
        stop: ends it early.
    """

    plan: Plan
    process: int
    clock: RunClock
    asking: Asking
    sessions: SessionsAhead
    stop: trio.Event

    async def run(self) -> None:
        """Begin sessions while the schedule lasts, and see them through.

        Raises:
            TargetError: the target died in the warm-up.
        """
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as ending:
                ending.start_soon(self._end_early, nursery.cancel_scope)
                ending.start_soon(self._give_up, nursery.cancel_scope)
                await self._begin_all(nursery)
                await self.clock.sleep_until(self.asking.end_ns)
                with trio.move_on_after(self.plan.drain_s):
                    await self.asking.wait_idle()
                await self.asking.cut()
                ending.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
        if self.asking.death.error is not None:
            raise self.asking.death.error

    async def _end_early(self, everything: trio.CancelScope) -> None:
        """End the load when its user wants that."""
        await self.stop.wait()
        self.asking.end_window()
        await self.asking.cut()
        everything.cancel()

    async def _give_up(self, everything: trio.CancelScope) -> None:
        """End the load when there is nobody to put it on."""
        await self.asking.death.wait()
        await self.asking.cut()
        everything.cancel()

    async def _begin_all(self, nursery: trio.Nursery) -> None:
        shape = self.plan.shape
        if isinstance(shape, ClosedLoop):
            think_ns = round(shape.think_s * _NS)
            for start_ns in starts_ns(shape, process=self.process, processes=self.plan.processes):
                nursery.start_soon(self._be_user, start_ns, think_ns)
        else:
            await self._begin_in_time(nursery)

    async def _begin_in_time(self, nursery: trio.Nursery) -> None:
        """Begin each session when it is due."""
        clock, sessions = self.clock, self.sessions
        while (session := sessions.peek()) is not None:
            assert session.at_ns is not None, "an open loop has times"
            ahead_ns = session.at_ns - clock.now_ns()
            if ahead_ns > MAKING_NS and sessions.make_one():
                continue
            await clock.sleep_until(session.at_ns)
            for due, at_ns in self._due():
                nursery.start_soon(self.asking.converse, due, at_ns)

    def _due(self) -> Iterator[tuple[Session, int]]:
        """The sessions that are due by now, and since when."""
        now_ns = self.clock.now_ns()
        while (session := self.sessions.peek()) is not None:
            assert session.at_ns is not None, "an open loop has times"
            if session.at_ns > now_ns:
                return
            self.sessions.take()
            yield session, session.at_ns

    async def _be_user(self, start_ns: int, think_ns: int) -> None:
        """Hold one session after the other."""
        scheduled_ns = start_ns
        while scheduled_ns < self.asking.end_ns:
            if scheduled_ns > self.clock.now_ns():  # else each turn of the loop would make it late
                await self.clock.sleep_until(scheduled_ns)
            session = self.sessions.take()
            # One who was cut off just before the end of the window would else begin for ever.
            if session is None or self.asking.is_cut:
                return
            scheduled_ns = await self.asking.converse(session, scheduled_ns) + think_ns
