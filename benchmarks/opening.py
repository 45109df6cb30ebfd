"""How long until 1,000 streams that are opened at once all flow? Until the last one's first chunk.

The server sends the first chunk as soon as it is asked, and then nothing for a long time. What a
client does only once, such as its imports, is done before, with one stream alone.
"""

from __future__ import annotations

from benchmarks.figures import Bar
from benchmarks.harness import Contender, Run
from benchmarks.plan import Plan
from benchmarks.questions import Absolute, Comparison, Row
from benchmarks.shared import OF_AIOHTTP

ENGINE = Contender("engine", "opening")
OLLAMA = Contender("ollama_async", "opening")
AIOHTTP = Contender("aiohttp_uvloop", "opening")


def _opened_ms(run: Run) -> float:
    return (run.measurement.ended_s - run.measurement.began_s) * 1e3


_OPENED = Absolute(_opened_ms, "ms")

COMPARISONS = (
    Comparison(
        plan=Plan(streams=1_000, interval_s=100.0, is_prompt=True),
        rows=(
            Row(
                "opening",
                "1,000 streams opened at once, until each has its first chunk",
                ENGINE,
                OLLAMA,
                "x as fast as ollama",
                Bar(10, is_at_least=True),
                lambda run, other: _OPENED.over(other, run),
            ),
            Row(
                "opening-peer",
                "the same, beside the best peer",
                ENGINE,
                AIOHTTP,
                f"{OF_AIOHTTP}'s time",
                Bar(1.0),
                load="opening",
            ),
        ),
        absolute=_OPENED,
        onlookers=(Contender("floor", "opening"),),
    ),
)
