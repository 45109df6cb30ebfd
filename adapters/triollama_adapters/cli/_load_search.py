"""The commands ``triollama load sweep`` and ``capacity``: many runs, one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    CliError,
)
from triollama_adapters.cli._load_bench import Bench
from triollama_adapters.cli._load_order import ORDINARY, Order, carry_out
from triollama_adapters.cli._load_when import WHEN, HowMuch
from triollama_adapters.loadtest.arrivals.words import parse_counts, parse_rate, parse_rates
from triollama_adapters.loadtest.search import sweep as sweeping
from triollama_adapters.loadtest.search.capacity import SearchRules, find_capacity
from triollama_adapters.loadtest.search.first import first_rate
from triollama_adapters.loadtest.search.found import Capacity, Step, Sweep, SweepKind

__all__ = ["CAPACITY_EXAMPLES", "SWEEP_EXAMPLES", "capacity", "sweep"]

SWEEP_EXAMPLES: Final = """
Examples:

* `triollama load sweep --simulate 1 --concurrency 1..32 --duration 10s --report sweep.html`
* `triollama load sweep -m llama3.2 --rate 1..50/s --json sweep.json`
"""

CAPACITY_EXAMPLES: Final = """
Examples:

* `triollama load capacity --simulate 1 --slo 'ttft_p95<800ms' --report capacity.html`
* `triollama load capacity -m llama3.2 --slo 'ttft_p95<800ms' --slo 'tpot_p95<40ms' --start 5/s`

Exit codes: 0 the capacity was found; 1 it cannot be told, or not even the lowest rate will do;
4 this client is the bottleneck.
"""


async def sweep(
    *,
    concurrency: Annotated[str | None, Parameter(name=["--concurrency", "-c"], group=WHEN)] = None,
    rate: Annotated[str | None, Parameter(name=["--rate", "-r"], group=WHEN)] = None,
    all_values: Annotated[bool, Parameter(name="--all", negative=(), group=WHEN)] = False,
    order: Order = ORDINARY,
) -> int:
    """Run the same load at rising concurrencies or rates: the curve of latency over throughput.

    It marks the knee, and ends when the servers are full.

    Args:
        concurrency: Users of each run: 1,2,4,8 or 1..64, which doubles.
        rate: Sessions a second of each run: 1,2,5 or 1..50/s, which doubles.
        all_values: Run all of them, also when the servers are full.
        order: What is wanted else.

    Returns:
        The exit code.
    """
    kind, values = _values(concurrency, rate)
    curves: list[Sweep] = []

    async def work(bench: Bench) -> Sweep | None:
        found = await sweeping.sweep(
            bench.plan,
            kind,
            values,
            bench.step(),
            stops_when_saturated=not all_values,
            on_point=curves.append,
            stop=bench.stop,
        )
        return found if found.results else None

    how_much = HowMuch(concurrency=1) if kind == "concurrency" else HowMuch(rate="1/s")
    return await carry_out(order, how_much, work, _ending_of_sweep, so_far=curves)


async def capacity(
    *,
    start: Annotated[str | None, Parameter(group=WHEN)] = None,
    most: Annotated[str, Parameter(group=WHEN)] = "10000/s",
    tolerance: Annotated[float, Parameter(group=WHEN, validator=Number(gte=0.005, lte=0.5))] = 0.04,
    replay: Annotated[Path | None, Parameter(group=WHEN)] = None,
    order: Order = ORDINARY,
) -> int:
    """Find the highest rate at which every objective is met, by doubling and bisection.

    Each step is judged by the intervals of its figures; one that cannot be told is run again, twice
    as long, and one at a low rate lasts until it has enough requests. "undetermined" is an answer.
    Without an objective it is the highest rate at which the queue does not grow and hardly a
    request fails.

    Args:
        start: The first rate; of a trace the first speed. Default: half of what 64 users at once
            get within ten seconds; of a trace 1.
        most: No rate above this is tried.
        tolerance: How wide the answer may be, as a share of it.
        replay: A trace whose speed is searched, instead of a rate.
        order: What is wanted else.

    Returns:
        The exit code.
    """
    rules = _rules(start, most, tolerance)
    looks_first = start is None and replay is None

    async def work(bench: Bench) -> Capacity | None:
        def tell(step: Step) -> None:
            bench.tell(f"{step.rate:g}/s: {step.met}: {step.why}")

        chosen = await _begin(bench, rules) if looks_first else rules
        run = bench.step()
        found = await find_capacity(bench.plan, run, rules=chosen, on_step=tell, stop=bench.stop)
        return found if found.steps else None

    rate = f"{rules.start:g}/s"
    how_much = HowMuch(rate=rate) if replay is None else HowMuch(replay=replay, speed=rules.start)
    return await carry_out(order, how_much, work, _ending_of_capacity)


async def _begin(bench: Bench, rules: SearchRules) -> SearchRules:
    """The same rules, which begin with the rate that a first look suggests."""
    look = bench.look("a first look")
    start = await first_rate(
        bench.plan, look, least=rules.least, most=rules.most, default=rules.start
    )
    bench.tell(f"a first look: the search begins with {start:g}/s")
    return attrs.evolve(rules, start=start)


def _rules(start: str | None, most: str, tolerance: float) -> SearchRules:
    """How a capacity is searched.

    Raises:
        PlanError: a rate cannot be read; the grammar is shown.
        CliError: the first is above the last.
    """
    usual = SearchRules()
    last = parse_rate(most, field="--most")
    first = min(usual.start, last) if start is None else parse_rate(start, field="--start")
    if first > last:
        raise CliError(f"--start {start} is above --most {most}")
    least = min(first, usual.least)
    return SearchRules(start=first, least=least, most=last, tolerance=tolerance)


def _values(concurrency: str | None, rate: str | None) -> tuple[SweepKind, tuple[float, ...]]:
    """What is swept.

    Raises:
        CliError: nothing, or both.
        PlanError: they cannot be read; the grammar is shown.
    """
    if (concurrency is None) is (rate is None):
        raise CliError("what is swept? Give --concurrency 1..64 or --rate 1..50/s, one of the two")
    if concurrency is not None:
        return "concurrency", tuple(map(float, parse_counts(concurrency, field="--concurrency")))
    assert rate is not None
    return "rate", parse_rates(rate, field="--rate")


def _ending_of_sweep(found: Sweep) -> tuple[int, str]:
    if found.results[-1].client.validity == "INVALID":
        return EXIT_ABORTED, f"INVALID: {found.stopped or 'this client was the bottleneck'}"
    if not any(each.counts.ok for each in found.results):
        return EXIT_SOME_FAILED, "no request was answered"
    return EXIT_OK, ""


def _ending_of_capacity(found: Capacity) -> tuple[int, str]:
    if found.state in ("found", "above"):
        return EXIT_OK, ""
    if found.state == "undetermined" and not all(each.is_valid for each in found.steps):
        return EXIT_ABORTED, f"INVALID: {found.why}"
    return EXIT_SOME_FAILED, f"{found.state}: {found.why}"
