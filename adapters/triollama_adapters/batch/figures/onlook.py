"""A job's figures for who looks on from outside: what its journal has, and what its run stored.

The counts are the journal's, so they are as of the last commit; all else is as old as the figures
that the run stored last, and is left out where that is too old to say anything.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from triollama_adapters.batch.figures.prices import Prices
from triollama_adapters.batch.figures.snapshot import Snapshot, State, failures_of
from triollama_adapters.batch.figures.stored import read_snapshot
from triollama_adapters.batch.ledger.state import BatchState

__all__ = ["look_on"]

FRESH_S: Final = 15.0
"""How old figures of a job that runs may be: it stores them every two seconds."""

FOREIGN_S: Final = 60.0
"""Outcomes that are so much later than the figures are of a run that stored none."""


def look_on(state: BatchState, now_s: float) -> Snapshot:
    """A job's figures as far as they can be told from outside.

    Args:
        state: what its journal has.
        now_s: in seconds since 1970.
    """
    stored = read_snapshot(state.figures)
    if stored is not None and (state.updated_s or 0.0) > stored.at_s + FOREIGN_S:
        stored = None
    shot = stored or _bare(state)
    rows, is_known = _rows(state, stored)
    left = None if rows is None else max(0, rows - state.settled)
    is_complete = is_known and not left
    messages = {each.kind: each.message for each in shot.failures}
    shot = replace(
        shot,
        done=state.done,
        failed=state.failed,
        input_tokens=state.input_tokens,
        output_tokens=state.output_tokens,
        cost=_prices(state).cost(state.input_tokens, state.output_tokens),
        failures=failures_of(state.errors, messages),
        left=left,
        rows=None if left is None else state.settled + left,
        is_rows_known=is_known,
    )
    if state.pid is None:
        return _at_rest(shot, stored, is_complete=is_complete)
    return shot if now_s - shot.at_s < FRESH_S else _without_rates(replace(shot, state="running"))


def _at_rest(shot: Snapshot, stored: Snapshot | None, *, is_complete: bool) -> Snapshot:
    """The figures of a job that nobody runs."""
    state: State = "interrupted"
    if stored is not None:
        state = "died" if stored.state in {"running", "complete"} else stored.state
    if is_complete and state in {"died", "interrupted"} and not shot.reason:
        state = "complete"
    lanes = tuple(replace(each, in_flight=0, health="") for each in shot.lanes)
    return _without_rates(replace(shot, state=state, running=0, held=0, lanes=lanes))


def _without_rates(shot: Snapshot) -> Snapshot:
    lanes = tuple(replace(each, tokens_per_s=None) for each in shot.lanes)
    return replace(shot, rows_per_s=None, tokens_per_s=None, left_s=None, waiting="", lanes=lanes)


def _bare(state: BatchState) -> Snapshot:
    """Of a job whose run stored no figures: it was a program's."""
    at_s = state.updated_s or state.started_s
    return Snapshot(at_s=at_s, begun_s=state.started_s, ran_s=max(0.0, at_s - state.started_s))


def _rows(state: BatchState, stored: Snapshot | None) -> tuple[int | None, bool]:
    """How many rows there are, and whether that was counted."""
    if stored is None:
        return state.input_rows, state.input_rows is not None
    # What an earlier run counted may have grown before the run that stored these.
    return stored.rows or state.input_rows, stored.is_rows_known


def _prices(state: BatchState) -> Prices:
    notes = state.notes or {}
    return Prices(input=notes.get("price_input"), output=notes.get("price_output"))
