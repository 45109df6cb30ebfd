"""Sessions, from turn to turn; and what becomes of each request: counted, kept, shown.

Owns which requests are under way, and what belongs to a sample beside the answer: whether it is
measured, which process asked, the lag of the loop, whether the model was loaded.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.death import Death
from triollama_adapters.loadtest.running.lag import Lag
from triollama_adapters.loadtest.running.limits import sockets_max
from triollama_adapters.loadtest.running.looks import ServerLooks
from triollama_adapters.loadtest.running.progress import Meter, Progress, SampleSink
from triollama_adapters.loadtest.sample import FAULTS, Sample
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.targets.asker import Asker, History
from triollama_adapters.loadtest.targets.clock import RunClock

__all__ = ["Asking", "Notes"]

_NS: Final = 1_000_000_000

FAILED_PAUSE_NS: Final = 100_000_000
"""A user of a closed loop whose request failed waits so long: a server that refuses at once would
else be asked ten thousand times a second, and its refusals drown everything."""

CUT_S: Final = 5.0
"""For requests that were cut off to be over; it takes two turns of the loop."""

QUIET_TURNS: Final = 3
"""Of the loop: a user whose next request is due at once needs one of them until it is asked."""


@attrs.frozen
class Notes:
    """Where everything is noted.

    Attributes:
        tally: every sample.
        meter: for the progress.
        lag: of the event loop.
        looks: at what is loaded.
        sink: every sample, or nobody.
    """

    tally: Tally
    meter: Meter
    lag: Lag
    looks: ServerLooks
    sink: SampleSink | None


class Asking:
    """Holds conversations.

    Args:
        plan: the whole run's.
        process: which of its processes.
        clock: of the run.
        asker: of the target.
        notes: see `Notes`.

    Attributes:
        end_ns: when the schedule ends, on the run's clock: no turn begins any more.
        death: whether the target died in the warm-up.
    """

    def __init__(
        self, plan: Plan, process: int, clock: RunClock, asker: Asker, notes: Notes
    ) -> None:
        self.end_ns = round((plan.warm_up_s + plan.duration_s) * _NS)
        self.death = Death()
        self._warm_up_ns = round(plan.warm_up_s * _NS)
        self._process = process
        self._clock = clock
        self._asker = asker
        self._notes = notes
        self._sockets_max = sockets_max()
        self._asks = 0
        self._is_cut = False
        self._idle = trio.Event()
        self._watches_warm_up = plan.warm_up_s > 0

    @property
    def is_cut(self) -> bool:
        """Whether the run was ended: nothing more is asked."""
        return self._is_cut

    async def converse(self, session: Session, scheduled_ns: int) -> int:
        """Take all turns of a session, until one fails or the schedule is over.

        Returns:
            When the next session of this user may be due.
        """
        history: History = []
        for index, turn in enumerate(session.turns):
            if index:
                scheduled_ns += round(turn.think_s * _NS)
                if scheduled_ns >= self.end_ns:
                    break
                await self._clock.sleep_until(scheduled_ns)
            if self._is_cut:
                break  # its user has ended the run
            sample = await self._ask(session, index, history, scheduled_ns)
            scheduled_ns = sample.done_ns or sample.ended_ns
            if sample.outcome != "ok":
                return scheduled_ns + (FAILED_PAUSE_NS if sample.outcome in FAULTS else 0)
        return scheduled_ns

    async def wait_idle(self) -> None:
        """Wait until nothing is under way, nor about to be."""
        quiet_turns = 0
        while quiet_turns < QUIET_TURNS:
            quiet_turns += 1
            await trio.lowlevel.checkpoint()
            while self._asks:
                quiet_turns = 0
                self._idle = trio.Event()
                await self._idle.wait()

    async def cut(self) -> None:
        """End what is under way, and wait until that is counted."""
        self._is_cut = True
        self._notes.lag.end()
        self._asker.cut("censored")
        with trio.move_on_after(CUT_S):
            await self.wait_idle()

    def end_window(self) -> None:
        """The schedule ends now."""
        now_ns = self._clock.now_ns()
        self.end_ns = min(self.end_ns, now_ns)
        self._notes.tally.end_window(now_ns)

    def progress(self, *, is_over: bool = False) -> Progress:
        """How far the run is."""
        return self._notes.meter.progress(
            self._clock.now_ns(),
            sent=self._asker.sent(),
            in_flight=self._asker.in_flight(),
            lag_ns=self._notes.lag.take_largest(),
            is_over=is_over,
        )

    async def _ask(
        self, session: Session, index: int, history: History, scheduled_ns: int
    ) -> Sample:
        self._notes.meter.schedule()
        if self._asks >= self._sockets_max:
            sample = self._unsent(session, index, scheduled_ns)
        else:
            self._asks += 1
            try:
                sample = await self._asker.ask(session, index, history, scheduled_ns)
            finally:
                self._asks -= 1
                if not self._asks:
                    self._idle.set()
        self._note(sample)
        return sample

    def _unsent(self, session: Session, index: int, scheduled_ns: int) -> Sample:
        return Sample(
            session.index,
            index,
            session.scenario,
            session.model,
            outcome="unsent",
            detail=f"all {self._sockets_max:,} connections of a process were in use",
            scheduled_ns=scheduled_ns,
            ended_ns=self._clock.now_ns(),
        )

    def _note(self, sample: Sample) -> None:
        notes, scheduled_ns = self._notes, sample.scheduled_ns
        now_ns = self._clock.now_ns()
        sample.process = self._process
        sample.is_measured = self._warm_up_ns <= scheduled_ns < self.end_ns
        if sample.sent_ns:
            sample.lag_ns = notes.lag.since(self._clock.start_ns + sample.sent_ns)
            sample.is_cold = notes.looks.was_absent(sample.endpoint, sample.model, sample.sent_ns)
        if sample.outcome == "ok":
            notes.looks.saw(sample.endpoint, sample.model, sample.first_ns or sample.done_ns)
        notes.tally.add(sample)
        notes.meter.add(sample, now_ns)
        if notes.sink is not None:
            notes.sink.add(sample)
        if self._watches_warm_up:
            is_over = now_ns >= self._warm_up_ns
            self.death.add(sample, now_ns, is_over=is_over)
            if is_over and sample.outcome == "ok":
                self._watches_warm_up = False
