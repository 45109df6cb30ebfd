"""The workers of a run: made ready, begun at one instant, heard, and merged.

Owns the state of each worker and nothing of how messages travel: that is a `Link`, over pipes in
`processes`, over Ray in `ray_machines`. All workers are ready before any begins, and all have the
same beginning. A worker that is lost after that makes the result INVALID and takes only its own
share with it; one that is lost before ends the run, in which nothing was measured yet.
Bounds: `READY_S` to get ready, `SILENT_S` between two messages, and the length of the plan with
`LATE_S` to end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn, assert_never

import trio

from triollama_adapters.loadtest.errors import LoadTestError, PlanError, TargetError
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.frames import (
    Died,
    Go,
    Order,
    Progressed,
    Ready,
    Sampled,
    Stop,
    Tallied,
)
from triollama_adapters.loadtest.running.links import Link, LinkLostError, Watcher, own_version
from triollama_adapters.loadtest.running.member import Member
from triollama_adapters.loadtest.running.merged import merged
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.targets.clock import RunClock

__all__ = ["Crew"]

READY_S: Final = 120.0
"""How long workers may take to get ready: a core starts one in a second, and prompts are made."""

LEAD_NS: Final = 200_000_000
"""How far ahead of `Go` the beginning is: the slowest worker hears it in a few ms."""

SILENT_S: Final = 30.0
"""How long a worker may say nothing: they tell their progress twice a second."""

LATE_S: Final = 30.0
"""How long after the end of its drain, or after a stop, a worker may take for its last news."""

TELL_S: Final = 1.0
"""How long progress is withheld because a worker has not told its own; usually 0.5 s is."""


class Crew:
    """The workers of one run.

    Args:
        plan: the whole run's.
        tally: those of the workers are merged into it.
        clock: of the run; begun by this.
        watcher: who hears of it.
    """

    def __init__(self, plan: Plan, tally: Tally, clock: RunClock, watcher: Watcher) -> None:
        self._plan = plan
        self._tally = tally
        self._clock = clock
        self._watcher = watcher
        self._members: list[Member] = []
        self._ready = trio.Event()
        self._told = trio.Event()
        self._failure: LoadTestError | None = None

    async def run(self, links: Sequence[Link]) -> tuple[str, ...]:
        """Have the load made by workers that were told to `Begin`.

        Args:
            links: to each of them, in the order of the plan's processes.

        Returns:
            Why the result is INVALID; empty if all did their part.

        Raises:
            PlanError: a worker said that the plan cannot be carried out.
            TargetError: a worker said that the target is dead.
            LoadTestError: a worker was lost before the load began, or all of them later.
        """
        count = len(links)
        self._members = [
            Member(f"process {number} of {count}", link) for number, link in enumerate(links, 1)
        ]
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._conduct, nursery.cancel_scope)
                async with trio.open_nursery() as hearing:
                    for member in self._members:
                        hearing.start_soon(self._hear, member, nursery.cancel_scope)
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            raise _first(
                group
            ) from None  # what a watcher raised, such as a sink whose disk is full
        self._tell()
        return self._reasons()

    def _reasons(self) -> tuple[str, ...]:
        lost = tuple(f"{each.name} {each.lost}" for each in self._members if each.lost)
        if self._failure is None and not any(each.is_done for each in self._members):
            self._failure = LoadTestError(f"the load was not made: {'; '.join(lost)}")
        if self._failure is not None:
            raise self._failure
        return lost

    # ---- one worker

    async def _hear(self, member: Member, everything: trio.CancelScope) -> None:
        """Hear one worker until its last news, or until it is lost."""
        try:
            while await self._hear_one(member):
                pass
        except LinkLostError as error:
            self._lose(member, error.why, everything)

    async def _hear_one(self, member: Member) -> bool:
        """Hear one message; whether there will be others."""
        within_s = SILENT_S if member.is_ready and self._clock.start_ns else READY_S
        try:
            with trio.fail_after(within_s):
                news = await member.link.receive()
        except trio.TooSlowError:
            raise LinkLostError(f"said nothing for {within_s:g} s") from None
        match news:
            case Ready():
                self._note_ready(member, news)
            case Progressed(progress):
                self._note_progress(member, progress)
            case Sampled(samples):
                if self._watcher.sink is not None:
                    for sample in samples:
                        self._watcher.sink.add(sample)
            case Tallied(tally):
                self._tally.merge(Tally.decode(self._plan, tally))
                member.is_done = True
                return False
            case Died():
                self._note_died(news)
            case _:
                assert_never(news)
        return True

    def _note_ready(self, member: Member, ready: Ready) -> None:
        if ready.version != own_version():
            raise LinkLostError(f"has {ready.version}, and this one {own_version()}")
        member.is_ready = True
        if all(each.is_ready for each in self._members):
            self._ready.set()

    def _note_progress(self, member: Member, progress: Progress) -> None:
        """Keep it; tell the progress of all when each of them has told its own."""
        member.progress, member.is_fresh = progress, True
        if all(each.is_fresh or each.is_done or each.lost for each in self._members):
            self._tell()

    def _note_died(self, died: Died) -> NoReturn:
        """The plan's fault or the target's is everybody's; another one is the worker's own."""
        if died.blame == "plan":
            self._failure = PlanError(died.text)
        elif died.blame == "target":
            self._failure = TargetError(died.text)
        raise LinkLostError(f"failed: {died.text}")

    def _lose(self, member: Member, why: str, everything: trio.CancelScope) -> None:
        member.lost = why
        if not self._ready.is_set() and self._failure is None:
            self._failure = LoadTestError(f"{member.name} {why}, before the load began")
        if self._failure is not None:
            everything.cancel()

    # ---- all of them

    async def _conduct(self, everything: trio.CancelScope) -> None:
        """Begin when all are ready; pass the stop on; see to the end."""
        await self._ready.wait()
        start_ns = time.perf_counter_ns() + LEAD_NS
        self._clock.begin(start_ns)
        for member in self._members:
            await self._send(member, Go(member.link.on_its_clock(start_ns)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_anyhow)
            await self._wait_end()
            await trio.sleep(LATE_S)
            for member in self._members:
                if not member.is_done and not member.lost:
                    member.lost = "did not end in time"
            everything.cancel()

    async def _wait_end(self) -> None:
        """Wait until the plan is over, or stopped."""
        plan = self._plan
        lasts_s = (LEAD_NS / 1e9) + plan.warm_up_s + plan.duration_s + plan.drain_s
        stop = trio.Event() if self._watcher.stop is None else self._watcher.stop
        with trio.move_on_after(lasts_s) as scope:
            await stop.wait()
        if not scope.cancelled_caught:
            for member in self._members:
                await self._send(member, Stop())

    async def _send(self, member: Member, order: Order) -> None:
        with suppress(LinkLostError):  # who hears it knows why
            await member.link.send(order)

    async def _tell_anyhow(self) -> None:
        """Tell when a worker is late, too."""
        while True:
            with trio.move_on_after(TELL_S) as scope:
                await self._told.wait()
            if scope.cancelled_caught and any(each.is_fresh for each in self._members):
                self._tell()

    def _tell(self) -> None:
        progress = [each.progress for each in self._members if each.progress is not None]
        for member in self._members:
            member.is_fresh = False
        self._told.set()
        self._told = trio.Event()
        if self._watcher.on_progress is not None and progress:
            self._watcher.on_progress(merged(progress))


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
