"""How long does a reader wait when the server is killed in the middle of the answer?"""

from __future__ import annotations

import signal

from benchmarks.figures import Bar
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.strike import RUNNING_MIN, strike
from triollama import EngineConfig

_WHAT = (
    f"SIGKILL of a server with {RUNNING_MIN} running streams or more: the gap that readers see, "
    "less the other server's time to first token"
)
_BESIDE = (
    ("streams", "streams ran there"),
    ("first token elsewhere", "ms"),
    ("noticed", "ms after the strike"),
    ("sent again", "ms after the strike"),
    ("max", "ms, the longest gap as it is"),
)

TRIAL = Trial(
    name="failover",
    rows=(
        TrialRow("failover-p50", f"{_WHAT}; median", "beyond p50", "ms", Bar(20), _BESIDE),
        TrialRow("failover-p99", f"{_WHAT}; 99th percentile", "beyond p99", "ms", Bar(250)),
    ),
    repetitions_max=3,
    run_s=8.0,
    is_alone=False,
)


def run(_seed: int) -> Finding:
    """Kill a server once."""
    return strike(signal.SIGKILL, EngineConfig())
