"""Where the time of the answered requests went. No IO.

The mean terms add up to the mean response E2E by construction: the residual of each request, what
its server's total leaves over, is split into overhead and the wait for a slot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from triollama_adapters.histogram import Histogram, needed_for
from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.measures.cell import Cell
from triollama_adapters.loadtest.measures.distributions import NS, percentile_of
from triollama_adapters.loadtest.result import CLIENT_TERMS, TERMS, LedgerFound
from triollama_adapters.loadtest.units import show_count, show_s

__all__ = ["Overhead", "ledger_of", "overheads_of"]

DISAGREEING_MAX: Final = 0.05
"""Of the requests whose second estimate is another one: with more, the server's times are not
trusted. One in twenty may be a pause of this machine."""

TPOT_APART: Final = 0.1
"""Medians of TPOT by client and by server that differ by more are told. The client divides by a
token less than the server, which is allowed for besides."""


@attrs.frozen
class Overhead:
    """``R0`` of a model.

    Attributes:
        ns: how long.
        is_calibrated: whether it was measured at a concurrency of one.
    """

    ns: int
    is_calibrated: bool


def overheads_of(cells: Iterable[Cell], baselines: Mapping[str, Baseline]) -> dict[str, Overhead]:
    """``R0`` of each model: as measured alone, or else the least residual of all its requests."""
    found: dict[str, Overhead] = {}
    for cell in cells:
        model = cell.key[2]
        known = baselines.get(model, Baseline()).overhead_ns
        residuals = cell.parts.histograms["residual"]
        if known is not None:
            found[model] = Overhead(known, is_calibrated=True)
        elif len(residuals):
            least = found[model].ns if model in found else residuals.least
            found[model] = Overhead(min(least, residuals.least), is_calibrated=False)
    return found


def ledger_of(
    cells: Iterable[Cell],
    whole: Cell,
    overheads: Mapping[str, Overhead],
    *,
    has_line: bool = False,
) -> LedgerFound | None:
    """The ledger of some cells; None if nothing was answered.

    Args:
        cells: each of them.
        whole: the same, merged.
        overheads: of all models.
        has_line: whether the engine's own pool chose the endpoints: its line is a term, then.
    """
    count = len(whole.parts.histograms["load"])
    if not count:
        return _client_ledger(whole, has_line=has_line)
    slots, used = _Split(), []
    for cell in cells:
        if len(cell.parts.histograms["residual"]):
            used.append(overheads[cell.key[2]])
            slots.add(cell.parts.histograms["residual"], used[-1].ns)
    totals, histograms = whole.parts.totals, dict(whole.parts.histograms)
    # A residual below 0 is no wait of its request, and takes nothing from the waits of others.
    left_over = histograms["residual"].total
    wait = left_over - min(slots.overhead.total, left_over)
    sums = {**totals, "overhead": totals["residual"] - wait, "slot_wait": wait}
    histograms |= {"overhead": slots.overhead, "slot_wait": slots.wait}
    terms, share = _terms(TERMS, has_line=has_line), whole.disagreeing / count
    return LedgerFound(
        count=count,
        mean_s={term: sums[term] / count / NS for term in terms},
        p95_s=_p95(histograms, terms, count),
        overhead_s=max(each.ns for each in used) / NS,
        is_calibrated=all(each.is_calibrated for each in used),
        is_trusted=share <= DISAGREEING_MAX,
        disagreeing=share,
        cold=whole.cold,
        reloads=whole.reloads,
        note=_note(whole, count, has_line=has_line),
    )


class _Split:
    """Residuals, split into overhead and the wait for a slot."""

    def __init__(self) -> None:
        self.overhead, self.wait = Histogram(), Histogram()

    def add(self, residuals: Histogram, overhead_ns: int) -> None:
        for value, count in residuals.middles:
            self.overhead.record(min(value, overhead_ns), count)
            self.wait.record(value - overhead_ns, count)


def _terms(terms: Sequence[str], *, has_line: bool) -> tuple[str, ...]:
    return tuple(term for term in terms if has_line or term != "engine_line")


def _client_ledger(whole: Cell, *, has_line: bool) -> LedgerFound | None:
    histograms, totals = whole.client_parts.histograms, whole.client_parts.totals
    count = len(histograms["start_delay"])
    if not count:
        return None
    terms = _terms(CLIENT_TERMS, has_line=has_line)
    return LedgerFound(
        count=count,
        mean_s={term: totals[term] / count / NS for term in terms},
        p95_s=_p95(histograms, terms, count),
        overhead_s=0.0,
        is_calibrated=False,
        is_trusted=False,
        disagreeing=0.0,
        cold=0,
        reloads=0,
        note="The server told no times, so the ledger has the client's terms only.",
    )


def _p95(histograms: Mapping[str, Histogram], terms: Iterable[str], count: int) -> dict[str, float]:
    if count < needed_for(0.95):
        return {}
    found = {term: percentile_of(histograms[term], 0.95) for term in terms}
    return {term: each.value for term, each in found.items() if each is not None}


def _note(whole: Cell, count: int, *, has_line: bool) -> str:
    notes = []
    untimed = len(whole.client_parts.histograms["start_delay"])
    if untimed:
        came = show_count(untimed, "answer")
        notes.append(f"{came} came without the server's times, and are not in the ledger.")
    if whole.negative:
        notes.append(
            f"{whole.negative:,} of {show_count(count, 'request')} took less time here than the "
            "server says they took."
        )
    if not whole.parts.totals["prefill"] and not whole.parts.totals["decode"]:
        notes.append(
            "The server tells only its total and the load, as for embeddings: the wait for a slot "
            "holds the work, too."
        )
        if has_line:
            notes.append("When they were sent is not told: transport holds the engine's own line.")
    notes.append(_note_on_tpot(whole, count))
    return " ".join(filter(None, notes))


def _note_on_tpot(whole: Cell, count: int) -> str:
    spans = whole.spans.histograms
    own, its = (percentile_of(spans[name], 0.5) for name in ("tpot", "server_tpot"))
    if not own or not its:
        return ""
    tokens = max(1.0, whole.parts.totals["decode"] / count / NS / its.value)
    if abs(its.value - own.value) <= (TPOT_APART + 1 / tokens) * own.value:
        return ""
    return (
        f"Half of the answers took {show_s(own.value)} or less per token as received, and "
        f"{show_s(its.value)} or less as the server tells it."
    )
