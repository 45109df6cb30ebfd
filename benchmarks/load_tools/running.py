"""One tool against one simulated server: what it says, what was true, what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.load_tools.inputs import write_prompts, write_tokenizer
from benchmarks.load_tools.tools import SHARES, Order, Told, Tool, program
from benchmarks.load_truth import NS, event_values, nearest_rank
from benchmarks.plan import MODEL
from benchmarks.processes import ROOT
from triollama_adapters.simulator.truth import Truth, read_truth

DECODE_TOKENS_PER_S = 40.0
PREFILL_TOKENS_PER_S = 200.0
"""A chunk every 25 ms of each stream, and a few dozen tokens read in about a fifth of a second."""

FEW = 5
"""Requests of the first run, one by one."""

LINES_MAX = 24
"""Of a failed tool's last words."""

ROUTES = ("/api/chat", "/v1/chat/completions")


class ToolError(Exception):
    """A tool did not do its work; the text has its last words."""


@attrs.frozen
class Compared:
    """One tool's run.

    Attributes:
        tool: which.
        told: what it says.
        true: what was, for the same figures.
        cpu_s: of all its processes for each request, in seconds, without what it needs to start.
    """

    tool: Tool
    told: Told
    true: Told
    cpu_s: float

    def error_s(self, figure: str) -> float | None:
        """What it says less what was; None if it does not say."""
        return self.told[figure] - self.true[figure] if figure in self.told else None


def compare(tool: Tool, streams: int, requests: int, tokens: int, environments: Path) -> Compared:
    """Run a tool against a server of its own: for a few requests first, to see what it costs.

    Raises:
        ToolError: it failed, or is not installed.
    """
    _, _, idle_s, few = _run_once(tool, 1, FEW, tokens, environments)
    told, true, busy_s, many = _run_once(tool, streams, requests, tokens, environments)
    return Compared(tool, told, true, (busy_s - idle_s) / (many - few))


def _run_once(
    tool: Tool, streams: int, requests: int, tokens: int, environments: Path
) -> tuple[Told, Told, float, int]:
    """What it says, what was, its CPU time in seconds, and its requests."""
    with tempfile.TemporaryDirectory(prefix="triollama-tools-") as name:
        folder = Path(name)
        write_prompts(folder / "prompts.jsonl", requests)
        write_tokenizer(folder / "tokenizer")
        with _simulator(folder / "truth.jsonl", streams, tokens) as url:
            _warm(url)
            order = Order(url, streams, requests, tokens, folder)
            cpu_s = _run(tool, order, environments)
            told = tool.told(order)
        truths = [each for each in read_truth(folder / "truth.jsonl") if each.path in ROUTES]
    # The first was ours, to load the model; some tools send a few more before they begin.
    truths = [each for each in truths[1:] if each.ending != "gone"][-requests:]
    return told, _true(truths), cpu_s, len(truths)


def _true(truths: Sequence[Truth]) -> Told:
    values = event_values(truths)
    return {
        f"{name} {percentile}": nearest_rank(values[name], share) / NS
        for name in ("ttft", "icl", "tpot", "e2e")
        for percentile, share in SHARES.items()
    }


@contextmanager
def _simulator(truth: Path, streams: int, tokens: int) -> Iterator[str]:
    config = {
        "num_parallel": 2 * streams,
        "answer_tokens_min": tokens,
        "answer_tokens_max": tokens,
        "decode_tokens_per_s": DECODE_TOKENS_PER_S,
        "prefill_tokens_per_s": PREFILL_TOKENS_PER_S,
    }
    command = [sys.executable, "-m", "triollama_adapters.simulator", "--until-eof"]
    command += ["--config", json.dumps(config), f"--truth={truth}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.stdin.close()


def _warm(url: str) -> None:
    """Have the model loaded: no tool is to measure that."""
    message = {"role": "user", "content": "Hello"}
    body = {"model": MODEL, "messages": [message], "options": {"num_predict": 1}}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"{url}/api/chat", json.dumps(body).encode()).read()


def _run(tool: Tool, order: Order, environments: Path) -> float:
    """Run it to its end; returns its CPU time in seconds, its children's included."""
    command = program(tool, order, environments)
    if command is None:
        raise ToolError(f"{tool.name} is not installed below {environments}")
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment["NO_COLOR"] = "1"
    with (order.folder / "said.txt").open("w+") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            last = "\n".join(said.read().strip().splitlines()[-LINES_MAX:])
            raise ToolError(f"{tool.name} ended with status {process.returncode}\n{last}")
    return usage.ru_utime + usage.ru_stime
