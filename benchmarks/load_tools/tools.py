"""How each tool is called, and where it says what it found."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from benchmarks.plan import MODEL

SHARES = {"p50": 0.50, "p99": 0.99}
"""What is compared; every tool tells them."""

Told = dict[str, float]
"""By metric and percentile, such as ``ttft p99``, in seconds."""

_LOCUST_FILE = Path(__file__).with_name("locust_user.py")


@attrs.frozen
class Order:
    """What a tool is to do.

    Attributes:
        url: the server's.
        streams: users at once, each of whom asks again when answered.
        requests: how many in all.
        tokens: of each answer; the server sees to it.
        folder: with the inputs, and for the outputs.
    """

    url: str
    streams: int
    requests: int
    tokens: int
    folder: Path


@attrs.frozen
class Tool:
    """One tool.

    Attributes:
        name: its package, and the folder of its environment.
        command: the program within that folder, with its arguments.
        told: reads what it wrote.
        note: what a reader of the table has to know.
    """

    name: str
    command: Callable[[Order], list[str]]
    told: Callable[[Order], Told]
    note: str = ""


# ---- guidellm


def _guidellm(order: Order) -> list[str]:
    backend = f"kind=openai_http,target={order.url},model={MODEL},validate_backend=false"
    return [
        "guidellm",
        "run",
        f"--backend={backend}",
        f"--profile=kind=concurrent,streams={order.streams}",
        f"--constraint=kind=max_requests,count={order.requests}",
        f"--data=kind=json_file,path={order.folder / 'prompts.jsonl'}",
        f"--output=kind=json,path={order.folder / 'guidellm.json'}",
        "--disable-console-interactive",
    ]


def _guidellm_told(order: Order) -> Told:
    metrics = _json(order.folder / "guidellm.json")["benchmarks"][0]["metrics"]
    units = {
        "ttft": ("time_to_first_token_ms", 1e-3),
        "tpot": ("inter_token_latency_ms", 1e-3),
        "e2e": ("request_latency", 1.0),
    }
    return {
        f"{mine} {share}": metrics[name]["successful"]["percentiles"][share] * unit
        for mine, (name, unit) in units.items()
        for share in SHARES
    }


# ---- aiperf


def _aiperf(order: Order) -> list[str]:
    return [
        *("aiperf", "profile", "--model", MODEL, "--url", order.url, "--endpoint-type", "chat"),
        *("--streaming", "--tokenizer", str(order.folder / "tokenizer")),
        *("--use-legacy-max-tokens", "--use-server-token-count"),
        *("--concurrency", str(order.streams), "--request-count", str(order.requests)),
        *("--isl", "80", "--isl-stddev", "0", "--osl", str(order.tokens), "--osl-stddev", "0"),
        *("--ui", "none", "--random-seed", "1"),
        *("--artifact-dir", str(order.folder / "aiperf")),
    ]


def _aiperf_told(order: Order) -> Told:
    found = _json(order.folder / "aiperf" / "profile_export_aiperf.json")
    names = {
        "ttft": "time_to_first_token",
        "icl": "inter_chunk_latency",
        "tpot": "inter_token_latency",
        "e2e": "request_latency",
    }
    return {
        f"{mine} {share}": found[name][share] / 1e3
        for mine, name in names.items()
        for share in SHARES
        if share in (found.get(name) or {})
    }


# ---- vllm


def _vllm(order: Order) -> list[str]:
    return [
        *("python", "-m", "vllm.entrypoints.cli.main", "bench", "serve"),
        *("--backend", "openai-chat", "--base-url", order.url),
        *("--endpoint", "/v1/chat/completions", "--model", MODEL),
        *("--tokenizer", str(order.folder / "tokenizer"), "--dataset-name", "random"),
        *("--random-input-len", "80", "--random-output-len", str(order.tokens)),
        *("--num-prompts", str(order.requests), "--max-concurrency", str(order.streams)),
        *("--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,99"),
        *("--save-result", "--result-filename", str(order.folder / "vllm.json")),
        "--disable-tqdm",
    ]


def _vllm_told(order: Order) -> Told:
    found = _json(order.folder / "vllm.json")
    names = {"ttft": "ttft", "icl": "itl", "tpot": "tpot", "e2e": "e2el"}
    return {
        f"{mine} {share}": found[f"{share}_{name}_ms"] / 1e3
        for mine, name in names.items()
        for share in SHARES
    }


# ---- locust


def _locust(order: Order) -> list[str]:
    return [
        *("locust", "--headless", "--host", order.url, "--locustfile", str(_LOCUST_FILE)),
        *("--users", str(order.streams), "--spawn-rate", str(order.streams)),
        *("--requests", str(order.requests), "--csv", str(order.folder / "locust")),
        *("--csv-full-history", "--only-summary", "--exit-code-on-error", "0"),
    ]


def _locust_told(order: Order) -> Told:
    found: Told = {}
    with (order.folder / "locust_stats.csv").open() as file:
        for row in csv.DictReader(file):
            if row["Type"] == "measured":
                for share, column in (("p50", "50%"), ("p99", "99%")):
                    found[f"{row['Name']} {share}"] = float(row[column]) / 1e3
    return found


# ---- ours


def _ours(order: Order) -> list[str]:
    return [
        *("python", "-m", "benchmarks.load_tools.own", order.url, str(order.streams)),
        *(str(order.requests), str(order.tokens), str(order.folder)),
    ]


def _ours_told(order: Order) -> Told:
    found: Told = _json(order.folder / "own.json")
    return found


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


OURS = Tool("triollama", _ours, _ours_told)

TOOLS = (
    OURS,
    Tool("guidellm", _guidellm, _guidellm_told, "calls TPOT inter-token latency; has no ICL"),
    Tool("aiperf", _aiperf, _aiperf_told, "calls TPOT inter-token latency"),
    Tool("vllm", _vllm, _vllm_told, "vllm bench serve"),
    Tool("locust", _locust, _locust_told, "with a user of our own that reads the stream"),
)


def program(tool: Tool, order: Order, environments: Path) -> list[str] | None:
    """The whole command line; None if the tool is not installed."""
    name, *arguments = tool.command(order)
    if tool is OURS:
        return [sys.executable, *arguments]
    path = environments / tool.name / "bin" / name
    return [str(path), *arguments] if path.exists() else None
