"""What does a whole request cost when its answer is one line? 100 in flight."""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import Plan
from benchmarks.questions import Comparison, Row


def _per_cpu_s(run: Run) -> float:
    return 1e6 / run.measurement.cpu_us_each


COMPARISONS = (
    Comparison(
        plan=Plan(in_flight=100, window_s=2.0),
        rows=(
            Row(
                "short",
                "short requests (one-line answers), 100 in flight",
                Contender("engine", "requests"),
                Contender("ollama_async", "requests"),
                "x ollama's requests per CPU-second",
                Bar(15, is_at_least=True),
                lambda run, other: _per_cpu_s(run) / _per_cpu_s(other),
            ),
        ),
        absolute=(_per_cpu_s, "requests per CPU-second"),
        onlookers=(
            Contender("ollama_async", "requests_without_reuse"),
            Contender("floor", "requests"),
        ),
        peers=(Contender("aiohttp_uvloop", "requests"),),
    ),
)
