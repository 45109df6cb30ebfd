"""The comparison of load testers: what each is given, and how what it says is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.load_tools.__main__ import table
from benchmarks.load_tools.inputs import write_prompts, write_tokenizer
from benchmarks.load_tools.running import Compared
from benchmarks.load_tools.tools import OURS, SHARES, TOOLS, Order, program

BY_NAME = {tool.name: tool for tool in TOOLS}


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """What a tool is to do."""
    return Order("http://127.0.0.1:1", 10, 100, 64, tmp_path)


def test_prompts_differ(tmp_path: Path) -> None:
    """Each is a line of JSON of its own."""
    write_prompts(tmp_path / "prompts.jsonl", 50)
    lines = (tmp_path / "prompts.jsonl").read_text().splitlines()
    assert len({json.loads(line)["prompt"] for line in lines}) == 50


def test_the_tokenizer_has_a_token_for_each_byte(tmp_path: Path) -> None:
    """And one for the end."""
    write_tokenizer(tmp_path / "made")
    made = json.loads((tmp_path / "made" / "tokenizer.json").read_text())
    vocabulary = made["model"]["vocab"]
    assert sorted(vocabulary.values()) == list(range(257))
    assert vocabulary["A"] < vocabulary["<|end|>"] == 256
    assert (tmp_path / "made" / "tokenizer_config.json").exists()


def test_only_what_is_installed_has_a_command(order: Order, tmp_path: Path) -> None:
    """Ours always; another when its program is in its environment."""
    assert program(OURS, order, tmp_path) is not None
    tool = BY_NAME["guidellm"]
    assert program(tool, order, tmp_path) is None
    folder = tmp_path / "guidellm" / "bin"
    folder.mkdir(parents=True)
    (folder / "guidellm").touch()
    command = program(tool, order, tmp_path)
    assert command is not None
    assert command[:2] == [str(folder / "guidellm"), "run"]


def test_what_guidellm_says(order: Order) -> None:
    """Its inter-token latency is one value per request: TPOT."""
    shares = {"p50": 20.0, "p99": 40.0}
    names = ("time_to_first_token_ms", "inter_token_latency_ms", "request_latency")
    metrics = {name: {"successful": {"percentiles": shares}} for name in names}
    (order.folder / "guidellm.json").write_text(json.dumps({"benchmarks": [{"metrics": metrics}]}))
    told = BY_NAME["guidellm"].told(order)
    assert told["ttft p50"] == told["tpot p50"] == pytest.approx(0.02)
    assert told["e2e p99"] == 40.0
    assert "icl p50" not in told


def test_what_aiperf_says(order: Order) -> None:
    """In milliseconds; what it does not say is left out."""
    (order.folder / "aiperf").mkdir()
    said = {"time_to_first_token": {"p50": 20, "p99": 30}, "inter_chunk_latency": None}
    said |= {"inter_token_latency": {"p50": 1, "p99": 2}, "request_latency": {"p50": 3, "p99": 4}}
    (order.folder / "aiperf" / "profile_export_aiperf.json").write_text(json.dumps(said))
    told = BY_NAME["aiperf"].told(order)
    assert told["ttft p99"] == pytest.approx(0.03)
    assert told.keys() == {
        f"{name} {share}" for name in ("ttft", "tpot", "e2e") for share in SHARES
    }


def test_what_vllm_says(order: Order) -> None:
    """Its ITL is of chunks, all requests together: ICL."""
    said = {
        f"{share}_{name}_ms": 5.0 for share in SHARES for name in ("ttft", "itl", "tpot", "e2el")
    }
    (order.folder / "vllm.json").write_text(json.dumps(said))
    assert set(BY_NAME["vllm"].told(order).values()) == {0.005}


def test_what_locust_says(order: Order) -> None:
    """The entries of our user, and not the requests that locust counts itself."""
    head = "Type,Name,50%,99%\n"
    rows = "POST,/v1/chat/completions,7,9\nmeasured,ttft,170,180\n,Aggregated,1,2\n"
    (order.folder / "locust_stats.csv").write_text(head + rows)
    assert BY_NAME["locust"].told(order) == {"ttft p50": 0.17, "ttft p99": 0.18}


def test_the_table_shows_errors() -> None:
    """In milliseconds, with their signs; and what is not told as that."""
    true = {f"{name} {share}": 1.0 for name in ("ttft", "icl", "tpot", "e2e") for share in SHARES}
    told = {"ttft p50": 1.0005, "e2e p99": 0.99}
    *_, line = table([Compared(OURS, told, true, 0.0042)])
    nothing = "not told"
    cells = ["triollama", "+0.50", *[nothing] * 6, "-10.00", "4.2 ms"]
    assert line == f"| {' | '.join(cells)} |"
