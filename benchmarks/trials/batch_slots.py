"""Do the servers of a batch ever idle, and how soon is it done? Lengths of a real chat service."""

from __future__ import annotations

import random

from benchmarks.figures import Bar
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.virtual_batch import LAST_SHARE, PIECE_TOKENS, TRACE, Filled, fill, trace_lengths

ROWS, ROWS_FULL = 2_000, 12_031

QUANTILES = (
    3, 3, 8, 12, 17, 22, 27, 32, 40, 54, 72, 91, 110, 127, 145, 168, 189, 205, 219, 235, 248,
    263, 275, 285, 297, 308, 317, 327, 336, 345, 355, 363, 370, 380, 388, 396, 403, 410,
    418, 426, 435, 443, 451, 459, 467, 476, 487, 499, 510, 522, 536, 549, 566, 586, 609,
    639, 673, 732, 836, 1211,
)  # fmt: skip
"""Tokens of an answer in the Mooncake conversation trace, one of sixty each: where the trace itself
is not beside the repository, lengths are drawn from these."""

_WHAT = (
    f"a batch of {ROWS:,} rows (with --full {ROWS_FULL:,}) on 4 simulated servers with 4 slots "
    "each, answers as long as in the Mooncake conversation trace, which nobody knows before"
)

TRIAL = Trial(
    name="batch_slots",
    rows=(
        TrialRow(
            "batch-slots",
            f"{_WHAT}: share of the slots that work until {LAST_SHARE:.0%} of the rows are left",
            "busy",
            "of the slots",
            Bar(0.97, is_at_least=True),
            (
                ("busy, known", "of the slots if each row says how long its answer may be"),
                ("in line", "rows waited in the engine's line"),
                ("traced", "of the lengths are the trace's own"),
            ),
        ),
        TrialRow(
            "batch-makespan",
            "the same: virtual time until all is answered, over that of all tokens at full speed",
            "makespan",
            "x the least possible",
            Bar(1.05),
            (
                ("makespan, known", "x if each row says how long its answer may be"),
                ("asked twice", "rows"),
            ),
        ),
    ),
    repetitions_max=1,
    run_s=30.0,
    deadline_s=200.0,
    is_timeless=True,
    full_s=200.0,
)


def run(seed: int) -> Finding:
    """Run a batch whose rows do not say how long their answers are, and one whose rows do."""
    return _run(ROWS, seed)


def run_full(seed: int) -> Finding:
    """Run both with the whole trace."""
    return _run(ROWS_FULL, seed)


def _run(count: int, seed: int) -> Finding:
    is_there = TRACE.exists()
    lengths = trace_lengths(count) if is_there else _drawn(count, seed)
    hidden = fill(lengths, is_known=False, seed=seed)
    known = fill(lengths, is_known=True, seed=seed)
    figures = {
        "busy": hidden.busy,
        "busy, known": known.busy,
        "makespan": hidden.ratio,
        "makespan, known": known.ratio,
        "in line": hidden.in_line,
        "asked twice": float(hidden.hedged),
        "traced": float(is_there),
    }
    return Finding(figures, tuple(_faults(count, hidden, known)))


def _drawn(count: int, seed: int) -> list[int]:
    """Lengths like those of the trace, in the unit of `fill`."""
    draws = random.Random(seed)
    return [max(1, round(draws.choice(QUANTILES) / PIECE_TOKENS)) for _ in range(count)]


def _faults(count: int, *filled: Filled) -> list[str]:
    return [
        f"{each.answered} of {count} rows were answered"
        for each in filled
        if each.answered != count
    ]
