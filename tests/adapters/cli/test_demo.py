"""``triollama demo``, as a user runs it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.cli import _demo
from triollama_adapters.cli._demo import _questions
from triollama_adapters.cli._failures import CliError

QUESTIONS = Path(__file__).parents[3] / "examples" / "questions.jsonl"

Write = Callable[..., Path]


def children_of(pid: int) -> list[int]:
    """The ids of the processes that a process has started."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


@pytest.mark.slow
def test_it_proves_what_it_says(run: Any, tmp_path: Path) -> None:
    """A server is killed, one is stopped, and no character is lost or doubled; then a report."""
    done = run("demo", "--streams", "60", "--questions", str(QUESTIONS))
    assert done.returncode == 0, done.stderr
    assert "60 of 60 streams complete\n" in done.stdout
    assert "0 lost, 0 doubled" in done.stdout
    struck = dict(re.findall(r"(\w+) +\S+ \(SIG\w+\) with (\d+) streams well inside", done.stdout))
    assert int(struck["killed"]) >= 15
    assert int(struck["stalled"]) >= 1
    assert re.search(r"(?m)^waited +readers of the killed server: p50 [\d,]+ ms", done.stdout)
    assert re.search(r"s  \d+ of 60 streams complete, \d+ went on elsewhere  \[", done.stderr)
    assert re.search(r"(?m)^load test   Serves [\d.]+ requests/s", done.stdout)
    assert done.stdout.splitlines()[-1] == "its report  demo-report.html"
    assert "<html" in (tmp_path / "demo-report.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process(start: Any, number: int) -> None:
    """Nor the one that is stopped: all servers are gone when the command has ended with 130."""
    process = start("demo", "--streams", "40")
    for line in process.stderr:
        if "stopped:" in line:
            break
    servers = children_of(process.pid)
    assert len(servers) >= 3
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.endswith("interrupted: the servers are stopped\n")
    assert "Traceback" not in stderr
    for server in servers:
        with pytest.raises(ProcessLookupError):
            os.kill(server, 0)


@pytest.mark.slow
def test_what_is_not_proven_is_exit_code_1(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that do not end in time are told, and so is that no server was killed."""
    monkeypatch.setattr(_demo, "DONE_WITHIN_S", 0.5)
    done = run("demo", "--streams", "20")
    assert done.returncode == 1
    assert "0 of 20 streams complete\n" in done.stdout
    assert "error: no server had 5 running streams in time, so none was killed\n" in done.stderr
    assert "error: 20 streams are not complete; they did not end in time\n" in done.stderr


async def test_questions_of_its_own() -> None:
    """Without a file they are made up, each a different one."""
    assert len(set(await _questions(None, 200))) == 200


async def test_questions_of_a_file(write_lines: Write) -> None:
    """The first so many; one that comes twice is asked once."""
    asked = [{"question": "a?"}, "", {"question": "a?"}, {"question": "b?"}, {"question": "c?"}]
    assert await _questions(str(write_lines(*asked)), 2) == ["a?", "b?"]


async def test_unusable_questions_are_refused(write_lines: Write, tmp_path: Path) -> None:
    """Too few, a bad line, no file: said before any server is started."""
    few = str(write_lines({"question": "a?"}))
    with pytest.raises(CliError, match="has 1 different questions"):
        await _questions(few, 2)
    bad = str(write_lines({"question": "a?"}, "no JSON", name="bad.jsonl"))
    with pytest.raises(CliError, match="line 2 is not JSON"):
        await _questions(bad, 2)
    with pytest.raises(CliError, match="No such file"):
        await _questions(str(tmp_path / "none.jsonl"), 2)
