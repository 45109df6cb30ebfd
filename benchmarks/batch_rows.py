"""How fast is a file answered? A batch job beside the loop that one writes by hand.

Servers answer at once, with 8 tokens, so that the client is what decides. The loop is what people
have today: the official client as it comes, a semaphore, a task per row, a line of JSON for each
answer. It keeps no journal and never waits for the disk; the job does both, and reads and shapes.
The loop is also shown with the setting that suits the pool underneath, see `short_requests`.
"""

from __future__ import annotations

from functools import partial

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import Plan
from benchmarks.questions import Absolute, Comparison, Row
from benchmarks.shared import per_cpu_s

ENGINE = Contender("engine", "batch")
OLLAMA = Contender("ollama_async", "batch")
OLLAMA_FASTER = Contender("ollama_async", "batch_without_reuse")

PLAN = Plan(in_flight=200, tokens=8, settle_s=0.3, window_s=1.5)

_WHAT = f"a file answered by servers that answer at once, {PLAN.tokens} tokens each"


def _rows_per_s(run: Run) -> float:
    measured = run.measurement
    return measured.count / (measured.ended_s - measured.began_s)


ROWS_PER_S = Absolute(_rows_per_s, "rows/s", is_more_better=True)

_row = partial(Row, measured=ENGINE)

COMPARISONS = (
    Comparison(
        plan=PLAN,
        rows=(
            _row(
                "batch-rows",
                f"{_WHAT}: rows that are kept, journal and all",
                against=None,
                unit="rows/s",
                bar=Bar(1_500, is_at_least=True),
                absolute=ROWS_PER_S,
                beside=(),
            ),
            _row(
                "batch-rows-ollama",
                "the same, beside a loop of the official client that writes lines of JSON",
                against=OLLAMA,
                unit="x the loop's rows/s",
                bar=Bar(8, is_at_least=True),
                absolute=ROWS_PER_S,
            ),
            _row(
                "batch-cpu-ollama",
                "the same",
                against=OLLAMA,
                unit="x the loop's rows per CPU-second",
                bar=Bar(8, is_at_least=True),
            ),
        ),
        absolute=per_cpu_s("rows"),
        onlookers=(OLLAMA_FASTER,),
        is_paired=True,
    ),
)
