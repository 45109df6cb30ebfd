"""``python -m benchmarks.load_tools.own``: our load test of what the other tools are asked for."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import trio

from benchmarks.load_tools.tools import SHARES
from benchmarks.plan import MODEL
from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload

METRICS = {"ttft": "ttft_service", "icl": "icl", "tpot": "tpot", "e2e": "e2e_service"}
"""Ours by what all tools call theirs: they begin when a request is sent, not when it was due."""

SECONDS_EACH = 1.75
"""Of a request of the default length, about: our runs end by time, not after so many requests."""


def main() -> None:
    """Read the command line, run, and write the percentiles."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_tools.own")
    parser.add_argument("url")
    parser.add_argument("streams", type=int)
    parser.add_argument("requests", type=int)
    parser.add_argument("tokens", type=int)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    scenario = Scenario(
        "chat",
        MODEL,
        prompts=Prompts("file", path=str(given.folder / "prompts.jsonl"), field="prompt"),
        answers=Answers(tokens=given.tokens),
    )
    plan = Plan(
        target=Target((given.url,), api="openai"),
        workload=Workload((scenario,)),
        shape=ClosedLoop(given.streams),
        duration_s=given.requests / given.streams * SECONDS_EACH,
    )
    told = _told(trio.run(run_load, plan))
    (given.folder / "own.json").write_text(json.dumps(told))


def _told(result: Result) -> dict[str, float]:
    found = {"requests": float(result.counts.scheduled)}
    for mine, name in METRICS.items():
        for share in SHARES:
            interval = result.metrics[name].percentiles[share]
            if interval is not None:
                found[f"{mine} {share}"] = interval.value
    return found


if __name__ == "__main__":
    main()
