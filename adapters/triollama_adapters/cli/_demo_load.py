"""The end of ``triollama demo``: a short load test, and its report as one HTML file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import trio

from triollama_adapters.cli._load_repeat import command_line
from triollama_adapters.cli._load_watch import open_sight
from triollama_adapters.loadtest.measures.objectives import parse_objective
from triollama_adapters.loadtest.plan import OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.report.page import make_page
from triollama_adapters.loadtest.report.words import describe
from triollama_adapters.loadtest.report.write import check_report_path, write_report
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import SimulatorConfig, open_simulators

__all__ = ["check_report", "put_load"]

MODEL: Final = "llama3.2"

SERVERS: Final = 2

_PACE: Final = SimulatorConfig(load_s=0.2)
"""Four slots each, 75 tokens a second in each: some 15 answers of 40 tokens a second in all."""

_SHAPE: Final = OpenLoop(phases=(Phase(4.0, 6.0, 6.0), Phase(6.0, 6.0, 30.0)))
"""From well below what the servers can do to somewhat above, so that the wait for a slot shows."""


def check_report(path: Path) -> None:
    """See that the report can be written; the one of the last demo is replaced.

    Raises:
        ReportError: it cannot.
    """
    check_report_path(path, force=True)


async def put_load(report: Path) -> list[str]:
    """Put a load on two simulated servers, and write the report.

    Args:
        report: where it goes.

    Returns:
        What is worth saying; the last line is where the report is.

    Raises:
        LoadTestError: the load or the report failed.
    """
    sys.stderr.write(f"and now a load test of {SERVERS} other simulated servers ...\n")
    async with open_simulators(SERVERS, _PACE) as urls:
        plan = _plan(tuple(urls))
        with open_sight(plan, sys.stderr) as sight:
            result = await run_load(
                plan, on_progress=sight.show, name="the demo", command=command_line()
            )
    await trio.to_thread.run_sync(_write, result, report)
    return [f"load test   {describe(result)}", f"its report  {report}"]


def _plan(endpoints: tuple[str, ...]) -> Plan:
    scenario = Scenario(
        name="all",
        model=MODEL,
        prompts=Prompts(tokens=120, spread=0.3),
        answers=Answers(tokens=40),
    )
    return Plan(
        target=Target(endpoints=endpoints),
        workload=Workload(scenarios=(scenario,)),
        shape=_SHAPE,
        duration_s=sum(each.duration_s for each in _SHAPE.phases),
        warm_up_s=1.0,
        drain_s=10.0,
        objectives=(parse_objective("ttft_p95<800ms"),),
    )


def _write(result: Result, report: Path) -> None:
    write_report(report, make_page([result]), force=True)
