"""The writer of a job: outcomes are committed in groups, counted, judged and delivered.

Owns: the order of the outcomes, the group that is made, and the numbers of `Progress` that tell
what is committed. Bounds: `GROUP_MAX` outcomes in a group, which waits `GROUP_S` to be filled.

It is shielded, and ends when all senders of outcomes have left: what was complete is committed,
whoever was cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import attrs
import trio

from triollama_adapters.batch.errors import BatchError, FirstFailureError, TooManyFailuresError
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.work.limits import Limits, Progress
from triollama_adapters.batch.work.order import InOrder
from triollama_adapters.batch.work.outcome import Outcome
from triollama_adapters.batch.work.reading import Known

__all__ = ["GROUP_MAX", "Deliver", "Keeper", "Ledger", "Outcome", "Placed"]

GROUP_MAX: Final = 512
"""Entries of one commit at most."""

GROUP_S: Final = 0.02
"""How long the first entry of a group waits for others: a commit costs some milliseconds, however
much is in it."""

JUDGED_MIN: Final = 20
"""Rows that must have an outcome before their share of failures says anything."""


class Ledger(Known, Protocol):
    """Keeps outcomes."""

    async def commit(self, entries: Sequence[Entry]) -> None:
        """Keep these for good, all or none."""


Deliver = Callable[[Sequence[Outcome]], Awaitable[None]]


@attrs.frozen
class Placed:
    """An outcome, and its row's place among those that are asked."""

    place: int
    outcome: Outcome


@attrs.define
class Keeper:
    """See the module.

    Args:
        ledger: keeps the outcomes.
        limits: when the job gives up, and whether the order is kept.
        progress: its numbers.
        deliver: is given the outcomes of each commit, and waited for; None: nobody wants them.
        end: ends the job, for its first reason.
        on_kept: is told which outcomes are committed.
    """

    _ledger: Ledger
    _limits: Limits
    _progress: Progress
    _deliver: Deliver | None
    _end: Callable[[BatchError], None]
    _on_kept: Callable[[Sequence[Outcome]], None]
    _order: InOrder[Outcome] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._order = InOrder(is_kept=self._limits.in_order)

    async def run(self, outcomes: trio.MemoryReceiveChannel[Placed]) -> None:
        """Commit until nobody sends any more."""
        # It ends when the others have ended, so the shield cannot outlast them by much.
        with trio.CancelScope(shield=True), outcomes:
            async for first in outcomes:
                ready = self._order.add(first.place, first.outcome)
                await trio.sleep(GROUP_S)
                while len(ready) < GROUP_MAX:
                    try:
                        each = outcomes.receive_nowait()
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                    ready += self._order.add(each.place, each.outcome)
                await self._keep(ready)

    async def _keep(self, ready: Sequence[Outcome]) -> None:
        """Commit a group; if that fails the job ends, and what is complete is taken as before."""
        if not ready:
            return
        try:
            await self._ledger.commit([each.entry for each in ready])
        except BatchError as error:
            self._end(error)
            return
        self._on_kept(ready)
        for each in ready:
            self._count(each.entry)
        self._judge()
        if self._deliver is not None:
            await self._deliver(ready)

    def _count(self, entry: Entry) -> None:
        progress = self._progress
        progress.input_tokens += entry.input_tokens
        progress.output_tokens += entry.output_tokens
        if entry.error_kind is None:
            progress.answered += 1
        else:
            progress.failed += 1
            progress.kinds[entry.error_kind] = progress.kinds.get(entry.error_kind, 0) + 1

    def _judge(self) -> None:
        """Give up if too much fails."""
        progress, limits = self._progress, self._limits
        if progress.failed and limits.is_fail_fast:
            kind = next(iter(progress.kinds))
            self._end(FirstFailureError(f"a row failed ({kind}), and --fail-fast ends the job"))
            return
        judged = progress.answered + progress.failed
        share_max = limits.failures_share_max
        if share_max is None or judged < JUDGED_MIN or progress.failed <= share_max * judged:
            return
        self._end(
            TooManyFailuresError(
                f"{progress.failed:,} of the {judged:,} rows of this run failed, more than "
                f"--max-error-rate {share_max:g} allows"
            )
        )
