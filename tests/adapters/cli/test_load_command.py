"""``triollama load`` as a user runs it: a process, real sockets, simulated servers."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.loadtest.measures import verdict
from triollama_adapters.loadtest.result import CLIENT_TERMS

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Write = Callable[..., Path]

SHORT = ("--duration", "2s", "--warm-up", "500ms", "--drain", "5s", "--answer-tokens", "12")
"""Enough to be measured."""


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that does other things besides may send late: here that makes no run INVALID."""
    monkeypatch.setattr(verdict, "DELAY_MAX_S", 5.0)


def assert_refused(done: Any, *words: str, code: int = 2) -> None:
    """It ended with one line that says this, and nothing else."""
    assert done.returncode == code, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: "), done.stderr
    for word in words:
        assert word in last
    assert "Traceback" not in done.stderr


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def children_of(pid: int) -> list[int]:
    """The ids of the processes that a process has started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def test_an_open_loop_is_measured(run: Run, tmp_path: Path) -> None:
    """Everything that was asked for is written; objectives that are met give 0."""
    files = ("--report", "r.html", "--json", "r.json", "--csv", "r.csv", "--markdown", "r.md")
    more = ("--samples", "s.jsonl", "--name", "a try", "--slo", "ttft_p50<5s")
    done = run("load", "--simulate", "2", "--rate", "20/s", *SHORT, *files, *more)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "written to r.html"
    assert "measuring" in done.stderr
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["name"] == "a try"
    assert found["counts"]["scheduled"] == 40
    assert found["counts"]["ok"] == 40
    assert found["environment"]["command"].startswith("triollama load --simulate 2 --rate 20/s")
    assert [each["met"] for each in found["attained"]["judged"]] == ["met"]
    assert found["ledger"]["count"] == 40
    assert len(found["endpoints"]) == 2
    samples = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert sum(each["is_measured"] for each in samples) == 40
    assert "<html" in (tmp_path / "r.html").read_text()
    assert "a try" in (tmp_path / "r.md").read_text()
    assert (tmp_path / "r.csv").read_text().count("\n") >= 2


def test_a_closed_loop_in_two_processes(run: Run) -> None:
    """JSON on standard output is for programs; the summary goes elsewhere."""
    done = run("load", "--simulate", "1", "-c", "4", *SHORT, "--processes", "2", "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["plan"]["processes"] == 2
    assert found["counts"]["ok"] > 4
    assert "TTFT" in done.stderr


def test_an_objective_that_is_missed(run: Run) -> None:
    """Ends with 1, as a build server wants it, and says which."""
    done = run("load", "--simulate", "1", "--rate", "20/s", *SHORT, "--slo", "ttft_p50<1us")
    if "no objective" in done.stderr:
        done = run("load", "--simulate", "1", "--rate", "20/s", *SHORT, "--slo", "ttft_p50<1ms")
    assert_refused(done, "objective missed: ttft_p50<", code=1)


def test_too_few_requests_are_undetermined(run: Run) -> None:
    """An objective that cannot be told is not met."""
    done = run("load", "--simulate", "1", "--rate", "5/s", *SHORT, "--slo", "ttft_p99<5s")
    assert_refused(done, "objective undetermined: ttft_p99<5s", code=1)


def test_an_objective_that_cannot_be_read(run: Run) -> None:
    """Its grammar is shown, before any server is started."""
    done = run("load", "--simulate", "1", "--rate", "5/s", "--slo", "ttft is fine")
    assert_refused(done, "'ttft is fine' is no objective", "ttft_p95<800ms")
    assert done.stderr.count("\n") == 1


def test_a_report_that_exists(run: Run, tmp_path: Path) -> None:
    """It is refused before the run, and replaced with --force."""
    (tmp_path / "r.html").write_text("mine")
    command = ("load", "--simulate", "1", "--rate", "5/s", *SHORT, "--report", "r.html")
    assert_refused(run(*command), "r.html exists", "--force")
    assert (tmp_path / "r.html").read_text() == "mine"
    assert run(*command, "--force").returncode == 0
    assert "<html" in (tmp_path / "r.html").read_text()


def test_ctrl_c_ends_the_question_too(start: Any, tmp_path: Path) -> None:
    """At a terminal a person is asked whether to replace a file; they may just want to leave."""
    (tmp_path / "r.html").write_text("mine")
    outer, inner = pty.openpty()
    try:
        process = start(
            "load", "--simulate", "1", "--rate", "5/s", "--report", "r.html",
            stdin=inner, stderr=inner,
        )  # fmt: skip
        said = b""
        while b"[y/N]" not in said:
            said += os.read(outer, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert b"interrupted" in os.read(outer, 4096)
    finally:
        os.close(outer)
        os.close(inner)
    assert (tmp_path / "r.html").read_text() == "mine"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(0, 5, 5), (900, 5, 5), (400, 5, 5)], "line 3"),
        ([(-5, 5, 5)], "line 1"),
        ([(0, 5, -5)], "line 1"),
    ],
)
def test_a_bad_trace(
    run: Run, write_lines: Write, rows: list[tuple[int, int, int]], words: str
) -> None:
    """Unsorted times, or negative ones: with the line."""
    names = ("timestamp", "input_length", "output_length")
    write_lines(*(dict(zip(names, row, strict=True)) for row in rows), name="trace.jsonl")
    assert_refused(run("load", "--simulate", "1", "--replay", "trace.jsonl"), words)


def test_a_trace_is_replayed(run: Run, write_lines: Write) -> None:
    """At its speed; its blocks are shared beginnings."""
    rows = [
        {"timestamp": 100 * n, "input_length": 600, "output_length": 8, "hash_ids": [1, n + 2]}
        for n in range(40)
    ]
    write_lines(*rows, name="trace.jsonl")
    command = ("load", "--simulate", "1", "--replay", "trace.jsonl", "--speed", "2")
    done = run(*command, "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["counts"]["ok"] == found["counts"]["scheduled"] >= 39


def test_a_model_that_is_not_there(run: Run, ollama_simulator: Any) -> None:
    """Those that are there are listed."""
    command = ("load", "--endpoint", ollama_simulator.url, "--rate", "5/s", *SHORT)
    assert_refused(run(*command, "-m", "llama9"), "llama9", "llama3.2:latest")
    assert_refused(run(*command), "which model?", "llama3.2:latest", "name one with -m")


def test_nobody_is_there(run: Run) -> None:
    """One line, and the exit code of no server."""
    url = f"http://127.0.0.1:{free_port()}"
    command = ("load", "--endpoint", url, "--rate", "5/s", *SHORT)
    assert_refused(run(*command, "-m", "llama3.2"), "127.0.0.1", code=3)
    assert_refused(run(*command), "no endpoint could be reached", code=3)


def test_a_target_that_dies_in_the_warm_up(run: Run) -> None:
    """There is nothing to measure."""
    done = run(
        "load", "--simulate", "1", "--rate", "20/s", "--duration", "2s", "--warm-up", "3s",
        "--fault", "kill 1 at 1s",
    )  # fmt: skip
    assert_refused(done, code=3)


def test_a_fault_is_told(run: Run) -> None:
    """What was done, and what readers saw; the load goes on at the others."""
    done = run(
        "load", "--simulate", "2", "--rate", "20/s", "--duration", "4s", "--warm-up", "500ms",
        "--fault", "kill 1 at 2s", "--routing", "engine", "--json", "-",
    )  # fmt: skip
    found = json.loads(done.stdout)
    kinds = [each["kind"] for each in found["events"]]
    assert "kill" in kinds
    assert "readers" in kinds
    assert found["counts"]["ok"] > 40


def test_a_server_without_timings(run: Run, ollama_simulator: Any) -> None:
    """OpenAI's routes tell none: no ledger, but everything that the client saw."""
    done = run(
        "load", "--endpoint", ollama_simulator.url, "-m", "llama3.2", "--api", "openai",
        "--rate", "10/s", *SHORT, "--json", "-",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["ledger"]["mean_s"]) == set(CLIENT_TERMS) - {"engine_line"}
    assert "/v1 does not tell the server's times" in done.stderr
    assert found["counts"]["ok"] == 20
    assert found["metrics"]["ttft"]["count"] == 20


def test_a_rate_that_this_client_cannot_offer(run: Run) -> None:
    """It is foretold, and the verdict after says the same: INVALID, exit code 4."""
    done = run(
        "load", "--simulate", "1", "--rate", "20000/s", "--duration", "2s", "--warm-up", "0s",
        "--drain", "1s", "--answer-tokens", "2", "--processes", "1",
    )  # fmt: skip
    assert re.search(r"it can do [\d,]+/s", done.stderr)
    assert "are more than this client" in done.stderr
    assert_refused(done, "INVALID", code=4)


def test_wrong_usage(run: Run) -> None:
    """One line each, with what to write."""
    assert_refused(run("load"), "how much load?")
    assert_refused(run("load", "--rate", "5/s", "--fault", "kill 1 at 2s"), "--fault-command")
    assert_refused(
        run("load", "--simulate", "1", "--rate", "5/s", "--fault", "kick 1"), "such as 'stall"
    )
    assert_refused(
        run("load", "--simulate", "1", "--rate", "5/s", *SHORT, "--fault", "kill 7 at 1s"),
        "7 is no endpoint of this run",
    )
    assert_refused(run("load", "sweep"), "what is swept?")
    assert_refused(run("load", "capasity"), "did you mean: triollama load capacity?")
    assert_refused(run("load", "sweep", "--rate", "9..1"), "--rate: '9..1' is no list of rates")
    assert_refused(run("load", "ab", "--rate", "5/s"), "give the two sides")
    assert_refused(run("load", "policies", "--simulate", "1", "--rate", "5/s"), "nothing to share")
    assert_refused(run("load", "compare", "a.json", "b.json"), "a.json")
    assert_refused(run("load", "report"), "report")
    assert_refused(run("load", "capacity", "--start", "9/s", "--most", "2/s"), "is above --most")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("processes", ["1", "2"])
def test_ctrl_c_gives_the_report_so_far(start: Any, tmp_path: Path, processes: str) -> None:
    """And leaves nothing behind: no process, no half a file."""
    process = start(
        "load", "--simulate", "1", "--rate", "10/s", "--duration", "60s", "--warm-up", "500ms",
        "--report", "r.html", "--json", "r.json", "--processes", processes,
    )  # fmt: skip
    for line in process.stderr:
        if re.search(r"measuring", line):
            break
    started = children_of(process.pid)
    assert started
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert "interrupted: the figures are of what was measured so far" in stderr
    assert "Traceback" not in stderr
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["is_stopped"]
    assert (tmp_path / "r.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json"]
    for child in started:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_two_runs_are_compared(run: Run, tmp_path: Path) -> None:
    """A server that is slower is worse, whatever else is noise; one report shows both."""
    for name, tokens in (("a.json", "4"), ("b.json", "16")):
        done = run(
            "load", "--simulate", "1", "--rate", "6/s", "--duration", "5s", "--warm-up", "500ms",
            "--answer-tokens", tokens, "--json", name,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    compared = run("load", "compare", "a.json", "b.json")
    assert compared.returncode == 0, compared.stderr
    assert re.search(r"E2E p50 .* worse", compared.stdout)
    assert run("load", "compare", "a.json", "b.json", "--fail-if-worse").returncode == 1
    as_json = json.loads(run("load", "compare", "a.json", "b.json", "--as-json").stdout)
    assert {each["figure"]: each for each in as_json}["e2e_p50"]["verdict"] == "worse"
    reported = run("load", "report", "a.json", "b.json", "--report", "both.html")
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "both.html").exists()


def test_a_sweep_has_a_knee(run: Run, tmp_path: Path) -> None:
    """One run per value; the report can be made again from its JSON."""
    done = run(
        "load", "sweep", "--simulate", "1", "-c", "1,2,4,8", "--all", "--duration", "1s",
        "--warm-up", "500ms", "--answer-tokens", "12", "--json", "s.json", "--report", "s.html",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "s.json").read_text())["found"]
    assert found["values"] == [1, 2, 4, 8]
    assert found["knee"] is not None
    again = run("load", "report", "s.json", "--report", "again.html")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again.html").exists()
    assert_refused(run("load", "compare", "s.json", "s.json"), "has a search, not one run")


def test_a_capacity_is_found(run: Run, tmp_path: Path) -> None:
    """Or it says that it cannot be told; each step is told as it comes."""
    done = run(
        "load", "capacity", "--simulate", "1", "--slo", "ttft_p50<300ms", "--start", "10/s",
        "--most", "20/s", "--tolerance", "0.5", "--duration", "1s", "--warm-up", "200ms",
        "--answer-tokens", "12", "--json", "c.json",
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found = json.loads((tmp_path / "c.json").read_text())["found"]
    assert found["state"] in ("found", "above", "undetermined")
    assert re.search(r"10/s: \w+", done.stderr)


def test_servers_are_discovered(run: Run, tmp_path: Path) -> None:
    """The simulated one has four slots, as it stands in its configuration."""
    done = run("load", "discover", "--simulate", "1", "--json", "d.json")
    assert done.returncode == 0, done.stderr
    [endpoint] = json.loads((tmp_path / "d.json").read_text())["found"]["endpoints"]
    assert endpoint["slots"]["slots"] == 4
    assert "4" in done.stdout


def test_two_sides_that_are_the_same(run: Run) -> None:
    """In windows that alternate."""
    done = run(
        "load", "ab", "--simulate", "2", "--rate", "10/s", "--pairs", "2", "--duration", "1s",
        "--warm-up", "200ms", "--answer-tokens", "12", "--json", "-",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["found"]["pairs"]) == 2


def test_policies_side_by_side(run: Run) -> None:
    """The same schedule once for each."""
    done = run(
        "load", "policies", "--simulate", "2", "--rate", "10/s", "--duration", "1s",
        "--warm-up", "200ms", "--answer-tokens", "12", "--json", "-",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["found"]["names"] == ["even", "engine"]
