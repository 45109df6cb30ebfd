"""Where workers get their rows: what was read waits here until a slot of the fleet is free for it.

Owns: the schedule, the capacity, the budget of tokens, and the rows that run. Which row is next is
decided in `schedule`, how many run in `capacity`; here they are put together. Whoever has nothing
to do waits in `Desk.next`; what may end such a wait is a new row, a row that has ended, or a look
at the servers (`Desk.look`, to be called several times a second).

Bounds: the rows that wait are those of the job's window, and of `HELD_BYTES_MAX`; those that
run, `Limits.rows_max` and the rows that wait at the gate, since nobody works on these: to be asked
again they need a place, see `places`, for which the desk gives the bounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

import trio

from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.work.capacity import Capacity
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.hedging import Hedging
from triollama_adapters.batch.work.items import Item
from triollama_adapters.batch.work.lengths import Lengths
from triollama_adapters.batch.work.limits import Limits
from triollama_adapters.batch.work.room import Room
from triollama_adapters.batch.work.running import Running
from triollama_adapters.batch.work.schedule import OVERTAKEN_MAX, Schedule
from triollama_adapters.batch.work.servers import Servers
from triollama_adapters.batch.work.tokens import TokenBudget

__all__ = ["Desk"]

HELD_BYTES_MAX: Final = 64 * 1024 * 1024
"""In rows that wait, and in outcomes that are not kept yet: some hundred rows with images, or a
whole window of long texts."""

OVERTAKEN_MAX_IN_ORDER: Final = 64
"""With the order of the input all later outcomes wait for the oldest row's, and are lost with the
process."""


def local_now() -> datetime:
    """The time on the wall."""
    return datetime.now().astimezone()


class Desk:
    """See the module.

    Args:
        limits: how the fleet may be used.
        gate: where rows wait when nobody answers.
        servers: the fleet; None where nothing is known of it, see `Capacity`.
        clock: local time, for `Limits.only_between`; None: that of the system.

    Attributes:
        running: the rows that are asked.
        room: for the bytes of rows that wait, and of outcomes until they are kept.
    """

    def __init__(
        self,
        limits: Limits,
        gate: Gate,
        servers: Servers | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        overtaken_max = OVERTAKEN_MAX_IN_ORDER if limits.in_order else OVERTAKEN_MAX
        self.running: dict[Running, None] = {}
        self.room = Room(HELD_BYTES_MAX)
        self._limits = limits
        self._gate = gate
        self._servers = servers
        self._clock = clock or local_now
        self._lengths = Lengths()
        self._hedging = Hedging()
        self._schedule = Schedule(self._expected, overtaken_max=overtaken_max)
        self._capacity = Capacity(
            limits.rows_max, share=limits.use_share, follows=servers is not None
        )
        per_minute = limits.tokens_per_minute
        self._budget = TokenBudget(per_minute) if per_minute is not None else None
        self._by_model: dict[str, int] = {}
        self._begun = 0
        self._seconds = 0
        self._is_stopped = False
        self._is_shut = False
        self._news = trio.Event()
        self._lot = trio.lowlevel.ParkingLot()
        gate.places.bounds = self

    @property
    def capacity(self) -> int:
        """How many rows may run at a time, as things stand."""
        return self._capacity.total

    def capacity_of(self, model: str) -> int:
        """How many rows of a model may run at a time.

        One in any case: a row that was begun is asked again, also when servers have turned to
        other models. Once nothing waits there is nobody to whom servers could be left.
        """
        if self._schedule.is_closed and not len(self._schedule):
            return self._capacity.total
        return max(1, self._capacity.cap(model))

    @property
    def is_ended(self) -> bool:
        """Whether nothing runs, and nothing will."""
        return not self.running and self._is_over()

    @property
    def hedged(self) -> int:
        """Rows that were asked a second time."""
        return self._hedging.hedged

    @property
    def models(self) -> int:
        """How many models rows wait for."""
        return len(self._schedule.waiting)

    @property
    def workers(self) -> int:
        """How many workers could have a row now, those that have one included."""
        may = self._capacity.total + self._gate.waiting
        return min(may, len(self.running) + len(self._schedule))

    async def add(self, item: Item) -> None:
        """One more row; waits while there is no room."""
        await self.room.wait()
        if not self._capacity.cap(item.model) and item.model not in self._schedule.waiting:
            self._news.set()  # a place may be found for it
        self.room.take(item.size)
        self._schedule.add(item)
        if self._lot:
            self._lot.unpark()

    def close(self) -> None:
        """The input has been read to its end."""
        self._schedule.close()
        self._wake()

    def stop(self) -> None:
        """Begin no more rows."""
        self._is_stopped = True
        self._wake()

    async def next(self) -> Running | None:
        """The next row to ask; None if none will come."""
        while not self._is_over():
            running = self._take()
            if running is not None:
                return running
            await self._lot.park()
        return None

    def done(self, running: Running, entry: Entry | None) -> None:
        """A row has ended.

        Args:
            running: the row.
            entry: what is kept of it; None if it was left.
        """
        del self.running[running]
        if running.second is not None:
            running.second.scope.cancel()
        item = running.item
        self._note(item.model, -1)
        is_answer = entry is not None and entry.error_kind is None
        if entry is not None and is_answer:
            self._lengths.learn(item.model, item.limit, item.size, entry.output_tokens)
            self._hedging.done(running, trio.current_time())
        if self._budget is not None:
            tokens = entry.input_tokens + entry.output_tokens if entry is not None else 0
            # Of a failure without tokens nobody knows what it cost.
            self._budget.ended(running.cost, tokens if is_answer or tokens else None)
        if self.is_ended:
            self._wake()

    async def wait_news(self) -> None:
        """Wait for something that is worth a look before its time: a new model, or the end."""
        await self._news.wait()
        self._news = trio.Event()

    def look(self) -> str:
        """Look at the servers and the clocks, and let workers go on if they may.

        Returns:
            Why no rows are begun, for people; empty while they are.
        """
        if self._servers is not None:
            waiting = Counter(self._schedule.waiting) + Counter(self._gate.places.waiting)
            self._capacity.look(self._servers.look(), waiting, self._schedule.starving)
        self._gate.places.look()
        why = self._why_shut()
        self._is_shut = bool(why)
        if len(self._schedule):
            self._lot.unpark_all()
        return why

    def late(self) -> Running | None:
        """A row to ask a second time, where slots are idle and nothing waits; mostly None."""
        if not self._schedule.is_closed or len(self._schedule) or self._is_stopped:
            return None
        if self._is_shut or self._gate.since_s is not None:
            return None
        if self._is_full():
            return None
        late = self._hedging.choose(self.running, trio.current_time(), self._begun)
        if late is not None:
            self._note(late.item.model, seconds=1)
        return late

    def second_done(self, running: Running) -> None:
        """The second asking of a row that `late` gave has ended."""
        assert running.second is not None
        running.second.is_ended.set()
        self._note(running.item.model, seconds=-1)

    # ---- inside

    def _take(self) -> Running | None:
        if self._is_shut or self._is_full():
            return None
        now_s = trio.current_time()
        if self._budget is not None and self._budget.wait_s(now_s) > 0.0:
            return None
        item = self._schedule.take(self._may)
        if item is None:
            return None
        self.room.give_back(item.size)
        expected = self._expected(item)
        running = Running(item, now_s, expected)
        if self._budget is not None:
            running.cost = self._budget.begun(item.size, expected, now_s)
        self.running[running] = None
        self._note(item.model, 1)
        self._begun += 1
        return running

    def _may(self, model: str) -> bool:
        """Whether a row of a model may be begun."""
        if self._gate.is_down(model):
            return False
        begun = self._by_model.get(model, 0) - self._gate.away_of(model)
        return max(begun, self._gate.places.wanted(model)) < self._capacity.cap(model)

    def _is_full(self) -> bool:
        """Whether there is no place for another row: those have it first that were begun before."""
        places = self._gate.places
        wanted = places.taken + sum(places.waiting.values())
        # A row with several requests may be away with some of them only.
        begun = len(self.running) + self._seconds - self._gate.away
        return max(begun, wanted) >= self._capacity.total

    def _note(self, model: str, rows: int = 0, *, seconds: int = 0) -> None:
        """Count rows that are asked, and those asked a second time."""
        self._seconds += seconds
        left = self._by_model.get(model, 0) + rows + seconds
        if left:
            self._by_model[model] = left
        else:
            del self._by_model[model]

    def _expected(self, item: Item) -> float:
        return self._lengths.expected(item.model, item.limit, item.size)

    def _why_shut(self) -> str:
        window = self._limits.only_between
        return window.why_not(self._clock()) if window is not None else ""

    def _is_over(self) -> bool:
        return self._is_stopped or (self._schedule.is_closed and not len(self._schedule))

    def _wake(self) -> None:
        self._lot.unpark_all()
        if self.is_ended:
            self._news.set()
