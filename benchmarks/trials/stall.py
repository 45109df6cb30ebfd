"""How long does a reader wait when the server hangs in the middle of the answer?"""

from __future__ import annotations

import signal

from benchmarks.figures import Bar
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.strike import RUNNING_MIN, strike
from triollama import EngineConfig

STALL_S = 1.0
"""50 times the time between two tokens."""

TRIAL = Trial(
    name="stall",
    rows=(
        TrialRow(
            "stall",
            f"SIGSTOP of a server with {RUNNING_MIN} running streams or more: from the last chunk "
            "to the one that goes on, less stall_s and the other server's time to first token; "
            "99th percentile",
            "beyond p99",
            "ms",
            Bar(100),
            (
                ("beyond p50", "ms, the median"),
                ("streams", "streams ran there"),
                ("first token elsewhere", "ms"),
                ("noticed", "ms after the strike"),
                ("sent again", "ms after the strike"),
            ),
        ),
    ),
    repetitions_max=2,
    run_s=9.0,
    is_alone=False,
)


def run(_seed: int) -> Finding:
    """Stop a server once."""
    return strike(signal.SIGSTOP, EngineConfig(stall_s=STALL_S), STALL_S)
