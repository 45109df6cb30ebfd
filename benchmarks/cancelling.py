"""How soon does the server see it when 1,000 flowing streams are cancelled? And what is left?

From the cancellation of the tasks that read, all in one call, to the moment at which the server has
each socket's end: until then its slots go on generating for nobody.
"""

from __future__ import annotations

import math

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import Plan
from benchmarks.questions import Absolute, Comparison, Row

ENGINE = Contender("engine", "cancelling")

KINDS = ("tasks", "sockets", "slots")
"""What a client may leave behind."""


def _closed_ms(run: Run) -> float:
    closings = run.closings
    if closings.count < run.plan.streams:
        return math.inf
    return (closings.p99_s - run.measurement.figures["cancelled_s"]) * 1e3


def _leaked(run: Run) -> float:
    leaked = sum(run.measurement.figures[f"{kind}_leaked"] for kind in KINDS)
    return leaked + run.closings.left_open


COMPARISONS = (
    Comparison(
        plan=Plan(streams=1_000, interval_s=0.05, window_s=0.5),
        rows=(
            Row(
                "cancelling",
                "1,000 streams cancelled: until the server has seen 99 % of the sockets closed",
                ENGINE,
                None,
                "ms",
                Bar(50),
            ),
            Row(
                "cancelling-leaks",
                "the same: tasks, sockets and slots that are left",
                ENGINE,
                None,
                "left",
                Bar(0),
                absolute=Absolute(_leaked, "left"),
            ),
        ),
        absolute=Absolute(_closed_ms, "ms until 99 % are closed"),
        onlookers=(
            Contender("aiohttp_uvloop", "cancelling"),
            Contender("ollama_async", "cancelling"),
        ),
    ),
)
