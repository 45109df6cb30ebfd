"""The commands ``triollama load sweep`` and ``capacity``: many runs, one answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    CliError,
)
from triollama_adapters.cli._load_asked import PLAIN, Asked
from triollama_adapters.cli._load_bench import Bench, at_bench
from triollama_adapters.cli._load_client import SELF, Client
from triollama_adapters.cli._load_files import NOWHERE, Files
from triollama_adapters.cli._load_plan import make_plan
from triollama_adapters.cli._load_publish import end, nothing, publish
from triollama_adapters.cli._load_when import (
    MINUTE,
    STEP_S,
    WHEN,
    HowMuch,
    Window,
)
from triollama_adapters.cli._load_whom import ANYBODY, Whom
from triollama_adapters.loadtest.arrivals.words import parse_counts, parse_rate, parse_rates
from triollama_adapters.loadtest.search import sweep as sweeping
from triollama_adapters.loadtest.search.capacity import SearchRules, find_capacity
from triollama_adapters.loadtest.search.first import first_rate
from triollama_adapters.loadtest.search.found import Capacity, Step, Sweep, SweepKind

__all__ = ["CAPACITY_EXAMPLES", "SWEEP_EXAMPLES", "Slo", "capacity", "sweep"]

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

Slo = Annotated[tuple[str, ...], Parameter(negative_iterable=(), show_default=False, group=WHEN)]


async def sweep(
    *,
    concurrency: Annotated[str | None, Parameter(name=["--concurrency", "-c"], group=WHEN)] = None,
    rate: Annotated[str | None, Parameter(name=["--rate", "-r"], group=WHEN)] = None,
    all_values: Annotated[bool, Parameter(name="--all", negative=(), group=WHEN)] = False,
    slo: Slo = (),
    window: Window = MINUTE,
    asked: Asked = PLAIN,
    whom: Whom = ANYBODY,
    client: Client = SELF,
    files: Files = NOWHERE,
) -> int:
    """Run the same load at rising concurrencies or rates: the curve of latency over throughput.

    It marks the knee, and ends when the servers are full.

    Args:
        concurrency: Users of each run: 1,2,4,8 or 1..64, which doubles.
        rate: Sessions a second of each run: 1,2,5 or 1..50/s, which doubles.
        all_values: Run all of them, also when the servers are full.
        slo: An objective, such as 'ttft_p95<800ms'; repeat it for more.
        window: How long each run is.
        asked: What is asked.
        whom: For whom.
        client: Who makes the load.
        files: What is written.

    Returns:
        The exit code.
    """
    kind, values = _values(concurrency, rate)
    how_much = HowMuch(concurrency=1) if kind == "concurrency" else HowMuch(rate="1/s")
    timed = how_much.timed(window, asked.think_s(), default_s=STEP_S)
    plan = make_plan(timed, window=window, asked=asked, whom=whom, client=client, slo=slo)
    force = await trio.to_thread.run_sync(files.check)
    curves: list[Sweep] = []

    async def work(bench: Bench) -> Sweep:
        return await sweeping.sweep(
            bench.plan,
            kind,
            values,
            bench.step(),
            stops_when_saturated=not all_values,
            on_point=curves.append,
            stop=bench.stop,
        )

    found, is_stopped = await at_bench(plan, whom.simulate, work, client=client)
    found = found or (curves[-1] if curves else None)
    if found is None or not found.results:
        return nothing()
    await publish(found.results, found, files, force=force)
    return end(*_ending_of_sweep(found, is_stopped=is_stopped))


async def capacity(
    *,
    slo: Slo = (),
    start: Annotated[str | None, Parameter(group=WHEN)] = None,
    most: Annotated[str, Parameter(group=WHEN)] = "10000/s",
    tolerance: Annotated[float, Parameter(group=WHEN, validator=Number(gte=0.005, lte=0.5))] = 0.04,
    replay: Annotated[Path | None, Parameter(group=WHEN)] = None,
    window: Window = MINUTE,
    asked: Asked = PLAIN,
    whom: Whom = ANYBODY,
    client: Client = SELF,
    files: Files = NOWHERE,
) -> int:
    """Find the highest rate at which every objective is met, by doubling and bisection.

    Each step is judged by the intervals of its figures; one that cannot be told is run again, twice
    as long. "undetermined" is an answer. Without an objective it is the highest rate at which the
    queue does not grow and hardly a request fails.

    Args:
        slo: An objective, such as 'ttft_p95<800ms'; repeat it for more.
        start: The first rate; of a trace the first speed. Default: half of what 64 users at once
            get within ten seconds; of a trace 1.
        most: No rate above this is tried.
        tolerance: How wide the answer may be, as a share of it.
        replay: A trace whose speed is searched, instead of a rate.
        window: How long the shortest step is; those at low rates are longer, to have enough
            requests.
        asked: What is asked.
        whom: For whom.
        client: Who makes the load.
        files: What is written.

    Returns:
        The exit code.
    """
    rules = _rules(start, most, tolerance)
    rate = f"{rules.start:g}/s"
    how_much = HowMuch(rate=rate) if replay is None else HowMuch(replay=replay, speed=rules.start)
    timed = how_much.timed(window, asked.think_s(), default_s=STEP_S)
    plan = make_plan(timed, window=window, asked=asked, whom=whom, client=client, slo=slo)
    force = await trio.to_thread.run_sync(files.check)
    steps: list[Step] = []

    async def work(bench: Bench) -> Capacity:
        def tell(step: Step) -> None:
            steps.append(step)
            bench.tell(f"{step.rate:g}/s: {step.met}: {step.why}")

        run, least, most = bench.step(), rules.least, rules.most
        begin = rules.start
        if start is None and replay is None:
            look = bench.look("a first look")
            begin = await first_rate(bench.plan, look, least=least, most=most, default=begin)
            bench.tell(f"a first look: the search begins with {begin:g}/s")
        chosen = attrs.evolve(rules, start=begin)
        return await find_capacity(bench.plan, run, rules=chosen, on_step=tell, stop=bench.stop)

    found, is_stopped = await at_bench(plan, whom.simulate, work, client=client)
    if found is None or not found.steps:
        return nothing()
    await publish([each.result for each in found.steps], found, files, force=force)
    return end(*_ending_of_capacity(found, is_stopped=is_stopped))


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


def _ending_of_sweep(found: Sweep, *, is_stopped: bool) -> tuple[int, str]:
    if is_stopped:
        return EXIT_INTERRUPTED, "interrupted: the curve ends where it was stopped"
    if found.results[-1].client.validity == "INVALID":
        return EXIT_ABORTED, f"INVALID: {found.stopped or 'this client was the bottleneck'}"
    if not any(each.counts.ok for each in found.results):
        return EXIT_SOME_FAILED, "no request was answered"
    return EXIT_OK, ""


def _ending_of_capacity(found: Capacity, *, is_stopped: bool) -> tuple[int, str]:
    if is_stopped:
        return EXIT_INTERRUPTED, f"interrupted: {found.why}"
    if found.state in ("found", "above"):
        return EXIT_OK, ""
    if found.state == "undetermined" and not all(each.is_valid for each in found.steps):
        return EXIT_ABORTED, f"INVALID: {found.why}"
    return EXIT_SOME_FAILED, f"{found.state}: {found.why}"
