"""What does an open stream weigh? Resident memory with 5,000 streams that flow slowly."""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import Plan
from benchmarks.questions import Comparison, Row


def _kib(run: Run) -> float:
    return run.rss_kib_per_stream


COMPARISONS = (
    Comparison(
        plan=Plan(streams=5_000, interval_s=1.0, settle_s=1.0, window_s=2.0),
        rows=(
            Row(
                "memory",
                "memory per open stream at 5,000 streams",
                Contender("engine", "hold"),
                None,
                "KiB of RSS",
                Bar(24),
                lambda run, _: _kib(run),
            ),
        ),
        absolute=(_kib, "KiB per stream"),
        onlookers=(Contender("floor", "hold"),),
        peers=(Contender("aiohttp_uvloop", "hold"),),
        repetitions_max=3,
    ),
)
