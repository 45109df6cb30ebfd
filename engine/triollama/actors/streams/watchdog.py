"""The watchdog: the clocks of all running requests, kept by one task.

Owns: for each attempt how much of its answer had come at the last look, and since when nothing
did (`Quiet`); and a heap of those whose clocks run out soon. So no chunk pays for a cancel scope or
a timer. A clock runs out up to a tick late, and never early: an arrival is noticed at the next
look, while the end of a clock is looked for when it is due.

Within every tick each request is looked at once, a slice of them at a time. Whose clock may run out
before they are looked at again goes into the heap, and is looked at in time: nobody else need be.

Bounds: one turn looks at `SLICE` requests, those that are due included. What is in the heap is due
within `AHEAD_TICKS` ticks, so nothing needs to be taken out of it when a request ends.

`clock_of` decides, without IO; the task looks at every tick while anything runs, and sleeps
otherwise.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Sequence

import trio

from triollama._config import EngineConfig
from triollama._errors import (
    DeadlineExceededError,
    StallError,
    StreamCancelledError,
    TriollamaError,
)
from triollama.actors.streams.messages import Quiet
from triollama.actors.streams.worker import Worker

TICK_S = 0.05
"""Between two looks, each of which goes through all running requests: with 1,000 of them 20 looks
take 0.3 % of a core, and a stall is noticed half of the 100 ms late that a reader may wait."""

WORKERS_PER_TICK = 1_000
"""With more of them the ticks become longer in proportion, up to `TICK_S_MAX`. To look at one is a
handful of cache misses: at 10,000 streams, 20 looks a second took a third of a core."""

TICK_S_MAX = 0.5
"""Between two looks at most."""

CLOSER_S = 1.0
"""After a closer look that ended nothing, the next one at a request that stays quiet comes so much
later, or when its clock runs out: what else could end it changes no faster."""

AHEAD_TICKS = 2.0
"""Whose clock runs out within so many ticks is looked at when it does: by the next look alone it
might be noticed late. Twice the time to that one, since the rounds grow with what runs."""

SLICE = 100
"""Requests that are looked at in one turn, the others a little later within the same tick: a
thousand would hold up every stream for half a millisecond."""

LATE_S_MIN = 0.5
"""A look that is later than this is so because the process was stopped, or the machine slept. What
a busy loop adds to a clock is less."""

TURN_S_MIN = 0.001
"""Between two turns at least, however many clocks have run out at once."""

DUE_TICKS_MIN = 0.02
"""Between two turns for clocks that run out one after the other, in ticks. At 10,000 streams they
are looked at with the next slice: to wake up for each of 1,000 a second costs more than the looks.
"""


def clock_of(
    quiet: Quiet, config: EngineConfig, *, is_whole: bool, is_down: bool = False
) -> tuple[str, float]:
    """Which clock of an attempt runs: its name, and its length in seconds.

    A first token may take minutes, since a server says nothing while it loads a model. But then it
    answers probes: one that does not has no more time than between two tokens.

    Args:
        quiet: what is known of the attempt, up to date.
        config: the clocks.
        is_whole: whether only the end of the body is missing.
        is_down: whether the endpoint does not answer probes.
    """
    if is_whole:
        # The connection is not worth a longer wait than a new one would cost.
        return "linger_s", config.linger_s
    if quiet.has_begun or (is_down and config.stall_s < config.first_token_s):
        return "stall_s", config.stall_s
    return "first_token_s", config.first_token_s


def run_out(clock: str, limit_s: float) -> TriollamaError:
    """What an attempt is ended with when its clock has run out."""
    if clock == "linger_s":
        return StreamCancelledError("the answer is whole")
    return StallError(clock, limit_s)


def tick_s(workers: int) -> float:
    """How long between two looks at so many, in seconds."""
    return min(TICK_S * max(workers / WORKERS_PER_TICK, 1.0), TICK_S_MAX)


class Watchdog:
    """Ends attempts and requests whose clocks have run out.

    Args:
        running: gives the workers to look at.
        config: the clocks.
        is_down: whether an endpoint, by its name, does not answer probes.
    """

    def __init__(
        self,
        running: Callable[[], Collection[Worker]],
        config: EngineConfig,
        is_down: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._running = running
        self._config = config
        self._is_down = is_down
        self._begun = trio.Event()
        self._ahead_s = AHEAD_TICKS * TICK_S
        self._slice_s = -math.inf
        self._due: list[tuple[float, int, Worker]] = []
        self._numbers = itertools.count()

    def notice(self, worker: Worker) -> None:
        """This one runs now. Cheap, to be called for every request."""
        terms = worker.terms
        if terms.limit_s < self._ahead_s:  # it may be over before the first look
            self._remember(worker, terms.deadline_s)
        if not self._begun.is_set():
            self._begun.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look at every tick until cancelled."""
        task_status.started()
        while True:
            await self._begun.wait()
            workers = list(self._running())
            if workers:
                await self._go_round(workers)
            else:
                self._due.clear()
                self._begun = trio.Event()

    async def _go_round(self, workers: Sequence[Worker]) -> None:
        """Look at all of them within one tick, and at those that are due in between."""
        round_s = tick_s(len(workers))
        pause_s = round_s / math.ceil(len(workers) / SLICE)
        self._ahead_s = AHEAD_TICKS * round_s
        first = 0
        while first < len(workers):
            now_s = trio.current_time()
            room = SLICE - self._look_at_due(now_s)
            if room and now_s >= self._slice_s:
                self.look(workers[first : first + room], now_s)
                first += room
                self._slice_s = now_s + pause_s
            wake_s = self._next_turn_s(now_s, DUE_TICKS_MIN * round_s)
            await trio.sleep_until(wake_s)
            self._forgive(trio.current_time() - wake_s)

    def _next_turn_s(self, now_s: float, step_s: float) -> float:
        """When the next slice is to be looked at, or somebody is due."""
        due_s = max(self._due[0][0], now_s + step_s) if self._due else math.inf
        return max(min(self._slice_s, due_s), now_s + TURN_S_MIN)

    def _forgive(self, late_s: float) -> None:
        """Do not blame the servers for a time in which this process itself stood still."""
        if late_s > LATE_S_MIN:
            for worker in self._running():
                worker.quiet.since_s += late_s
                worker.quiet.closer_s = 0.0

    def _remember(self, worker: Worker, due_s: float) -> None:
        """Look at this one at that time, which is soon."""
        heapq.heappush(self._due, (due_s, next(self._numbers), worker))

    def _look_at_due(self, now_s: float) -> int:
        """Look at those whose time has come, a slice of them at most; returns how many were."""
        workers: list[Worker] = []
        while self._due and self._due[0][0] <= now_s and len(workers) < SLICE:
            _, _, worker = heapq.heappop(self._due)
            worker.quiet.closer_s = 0.0
            workers.append(worker)
        if workers:
            self.look(workers, now_s)
        return len(workers)

    def look(self, workers: Iterable[Worker], now_s: float) -> None:
        """Look at each of these once."""
        ahead_s = now_s + self._ahead_s
        for worker in workers:
            quiet, inflow = worker.quiet, worker.inflow
            received_bytes = inflow.received_bytes
            if received_bytes != quiet.received_bytes:  # a busy stream, at nearly every look
                quiet.received_bytes = received_bytes
                quiet.has_begun = True
                quiet.since_s = now_s
                quiet.closer_s = 0.0
                if ahead_s < worker.terms.deadline_s:
                    continue
            elif now_s < quiet.closer_s and inflow.is_paused == (quiet.since_s == math.inf):
                continue
            self._look_closer(worker, now_s)

    def _look_closer(self, worker: Worker, now_s: float) -> None:
        quiet, due_s = worker.quiet, math.inf
        if worker.ended is None:
            due_s = worker.terms.deadline_s
            if now_s >= due_s:
                limit_s = worker.terms.limit_s
                worker.stop(DeadlineExceededError("the answer was not whole", limit_s=limit_s))
                return
        if worker.inflow.is_paused:
            quiet.since_s = math.inf  # nobody reads: the server is not to blame
        elif quiet.since_s == math.inf:
            quiet.since_s = now_s
        if quiet.since_s < math.inf and (worker.is_attempting or worker.ended is not None):
            is_whole, is_down = worker.inflow.is_whole, self._is_down(worker.endpoint)
            clock, limit_s = clock_of(quiet, self._config, is_whole=is_whole, is_down=is_down)
            if now_s >= quiet.since_s + limit_s:
                worker.stop(run_out(clock, limit_s))
                return
            due_s = min(due_s, quiet.since_s + limit_s)
        quiet.closer_s = now_s + CLOSER_S
        soon_s = due_s - self._ahead_s
        if soon_s > now_s:
            quiet.closer_s = min(quiet.closer_s, soon_s)
        else:
            self._remember(worker, due_s)
