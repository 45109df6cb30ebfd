"""One run of a batch job as it is watched: its figures are collected, shown and stored.

Owns the `Figures` of the run. They are shown as often as who shows them wants, and stored with the
journal every `STORE_EVERY_S`, where `triollama batch status` finds them while the job runs and also
when it was killed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from triollama import Engine
from triollama.api import name_key
from triollama_adapters.batch.errors import BatchError, LedgerError
from triollama_adapters.batch.figures.figures import Figures
from triollama_adapters.batch.figures.prices import Prices
from triollama_adapters.batch.figures.snapshot import Lane, Snapshot, State
from triollama_adapters.batch.figures.total import InputSeen
from triollama_adapters.batch.input.source import RowSource
from triollama_adapters.batch.ledger.ledger import Ledger
from triollama_adapters.batch.work.job import Job, Outcome, Progress
from triollama_adapters.cli._batch_ray import crew_lanes
from triollama_adapters.cli._batch_sights import Sight
from triollama_adapters.cli._failures import explain
from triollama_adapters.cli._fleet_view import health_of
from triollama_adapters.ray.crew import Crew
from triollama_adapters.words import clock

__all__ = ["TORN", "Watched", "lanes_of"]

STORE_EVERY_S: Final = 2.0
"""So old are the figures of a job that was killed, at most; its counts are the journal's own."""

TORN: Final = (
    "the input's last line has no end, so its row is left out; resume when the line is whole"
)


@attrs.define
class Watched:
    """A run that is watched.

    Attributes:
        ledger: where its outcomes are.
        source: its input.
        engine: who answers.
        model: of rows that name none; empty if there is none.
        rows_max: rows of the input at most; None: all.
        prices: of tokens.
        sight: where it is shown.
        last: the last figures.
    """

    ledger: Ledger
    source: RowSource
    engine: Engine | Crew
    model: str
    rows_max: int | None
    prices: Prices
    sight: Sight
    last: Snapshot | None = None
    _figures: Figures = attrs.field(init=False)
    _job: Job | None = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._figures = Figures(
            time.time(), trio.current_time(), earlier=self.ledger.figures, prices=self.prices
        )

    async def deliver(self, outcomes: Sequence[Outcome]) -> None:
        """Count outcomes that are kept. For the job; does not wait."""
        now_s = trio.current_time()
        if failed := self._figures.take(outcomes, now_s):
            self.sight.tell(failed, self._figures.ran_s(now_s))
        await trio.lowlevel.checkpoint()

    async def run(self, job: Job) -> None:
        """Run the job, show how far it is, and store how it ended, also if that is cancelled.

        Raises:
            BatchError: as of `Job.run`, in a group.
        """
        self._job = job
        reason = ""
        try:
            async with trio.open_nursery() as showing:
                showing.start_soon(self._show)
                await job.run()
                showing.cancel_scope.cancel()
        except* BatchError as errors:
            reason = explain(errors)[0]
            raise
        finally:
            last = self._look(*_ending(job.progress, reason))
            with trio.CancelScope(shield=True):  # waited for as every other write
                await self._store(last)
            self.sight.finish(last)

    # ---- parts of it

    async def _show(self) -> None:
        show_s = store_s = trio.current_time()
        while True:
            now_s = trio.current_time()
            shot = self._look()
            if now_s >= show_s:
                self.sight.show(shot)
                show_s = now_s + self.sight.every_s
            if now_s >= store_s:
                await self._store(shot)
                store_s = now_s + STORE_EVERY_S
            await trio.sleep_until(min(show_s, store_s))

    def _look(self, state: State = "running", reason: str = "") -> Snapshot:
        assert self._job is not None
        progress, source = self._job.progress, self.source
        seen = InputSeen(
            given=source.given,
            filtered=source.filtered,
            ahead=source.ahead,
            read_bytes=source.read_bytes,
            size_bytes=source.size_bytes,
            rows_max=self.rows_max,
        )
        self.last = self._figures.snapshot(
            self.ledger.state,
            progress,
            trio.current_time(),
            seen=seen,
            lanes=lanes_of(self.engine, self.model),
            waiting=_waiting(progress) if state == "running" else "",
            ended=state,
            reason=reason,
        )
        return self.last

    async def _store(self, shot: Snapshot) -> None:
        # If the disk fails, the next commit says so, and better.
        with suppress(LedgerError):
            await self.ledger.note_figures(self._figures.encode(shot))


def lanes_of(engine: Engine | Crew, model: str) -> list[Lane]:
    """The endpoints of an engine, as they are.

    Args:
        engine: the engine, or the workers of a cluster.
        model: whose slots are told; empty: those of all models together.
    """
    if isinstance(engine, Crew):
        return crew_lanes(engine, model)
    numbers = engine.statistics()
    probes = {each.endpoint: each for each in numbers.health.endpoints}
    key = name_key(model) if model else None
    return [
        Lane(
            endpoint=each.name,
            health=health_of(each, probes.get(each.name)),
            in_flight=each.in_flight,
            slots=each.slots.get(key) if key else sum(each.slots.values()) or None,
        )
        for each in numbers.endpoints
    ]


def _waiting(progress: Progress) -> str:
    """Why no rows are begun; and for how long nobody has answered."""
    told = progress.waits_for
    if progress.down_since_s is None:
        return told
    down = f"nobody has answered for {clock(time.monotonic() - progress.down_since_s)}"
    return f"{told}; {down}" if told else down


def _ending(progress: Progress, reason: str) -> tuple[State, str]:
    """How a run ended, and why."""
    if reason:
        return "aborted", reason
    if progress.is_read_to_end and progress.is_torn:
        return "interrupted", TORN
    unfinished = progress.read - progress.skipped - progress.answered - progress.failed
    if progress.is_read_to_end and not unfinished:
        return "complete", ""
    return "interrupted", ""
