"""What was counted -> what was found. No IO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import msgspec

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.measures.distributions import metrics_of
from triollama_adapters.loadtest.measures.judging import attained_by
from triollama_adapters.loadtest.measures.ledger import ledger_of, overheads_of
from triollama_adapters.loadtest.measures.moments import heat_of, moments_of
from triollama_adapters.loadtest.measures.tally import Tally, merged
from triollama_adapters.loadtest.measures.verdict import client_state
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import (
    SCHEMA,
    EndpointFound,
    Environment,
    Event,
    HostLook,
    LedgerFound,
    LoadedLook,
    Rates,
    Result,
)

__all__ = ["conclude"]


def conclude(
    plan: Plan,
    tally: Tally,
    *,
    environment: Environment,
    name: str = "",
    began_at: str = "",
    is_stopped: bool = False,
    floor: float | None = None,
    loaded: Sequence[LoadedLook] = (),
    host: Sequence[HostLook] = (),
    events: Sequence[Event] = (),
) -> Result:
    """The result of a run; the same tally may be concluded again later.

    Args:
        plan: what was asked for; its headers are left out of the result.
        tally: of all its processes.
        environment: where it ran.
        name: what a comparison calls it.
        began_at: wall clock, ISO 8601 with zone.
        is_stopped: whether the user ended it early, see `Tally.end_window`.
        floor: requests per second of this client against a server that does nothing.
        loaded: looks at ``/api/ps``.
        host: looks at this machine.
        events: what happened.
    """
    whole = merged(tally.cells)
    parts = _Parts(tally, has_line=plan.target.routing == "engine")
    scenarios = parts.by(lambda cell: cell.key[1])
    return Result(
        schema=SCHEMA,
        name=name,
        plan=_without_secrets(plan),
        began_at=began_at,
        window_s=tally.window_s,
        is_stopped=is_stopped,
        counts=whole.counts,
        rates=parts.rates_of(tally.cells, whole),
        metrics=metrics_of(whole),
        attained=attained_by(whole, plan.objectives, tally.limits),
        ledger=parts.ledger_of(tally.cells, whole),
        client=client_state(whole, tally.busy, floor=floor),
        endpoints=parts.by(lambda cell: cell.key[0]),
        scenarios=scenarios if len(scenarios) > 1 else (),
        moment_s=tally.series.width_ns / 1e9,
        moments=moments_of(tally.series),
        heat=heat_of(tally.series),
        loaded=tuple(loaded),
        host=tuple(host),
        events=tuple(events),
        environment=environment,
    )


class _Parts:
    """What is said of parts of a run."""

    def __init__(self, tally: Tally, *, has_line: bool) -> None:
        self._tally = tally
        self._has_line = has_line
        self._overheads = overheads_of(tally.cells, tally.baselines)

    def by(self, name_of: Callable[[Cell], str]) -> tuple[EndpointFound, ...]:
        """What there is for each name, without those that have none: nobody was asked."""
        cells = sorted(self._tally.cells, key=name_of)
        groups = {name: tuple(group) for name, group in groupby(cells, name_of) if name}
        return tuple(self._found(name, group) for name, group in groups.items())

    def _found(self, name: str, cells: Sequence[Cell]) -> EndpointFound:
        whole = merged(cells)
        return EndpointFound(
            name=name,
            counts=whole.counts,
            rates=self.rates_of(cells, whole),
            metrics=metrics_of(whole),
            ledger=self.ledger_of(cells, whole),
        )

    def ledger_of(self, cells: Sequence[Cell], whole: Cell) -> LedgerFound | None:
        """See `ledger.ledger_of`."""
        return ledger_of(cells, whole, self._overheads, has_line=self._has_line)

    def rates_of(self, cells: Sequence[Cell], whole: Cell) -> Rates:
        """Per second of the window; all 0 if there was none."""
        window_s = self._tally.window_s
        if not window_s:
            return Rates()
        return Rates(
            offered=whole.scheduled / window_s,
            sent=whole.sent_within / window_s,
            completed=whole.done_within / window_s,
            output_tokens=whole.tokens_within / window_s,
            prompt_tokens=whole.prompt_within / window_s,
            uncached_prompt_tokens=sum(map(self._uncached, cells)) / window_s,
            goodput=whole.good / window_s,
        )

    def _uncached(self, cell: Cell) -> float:
        """Prompts whose server did not tell for how long it read count as read."""
        timed = sum(tokens for _, tokens, _ in cell.reading.sums.values())
        known = self._tally.baselines.get(cell.key[2], Baseline()).prefill_ns_per_token
        return cell.prompt_within - timed + cell.reading.uncached(known)


def _without_secrets(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, headers={}))
