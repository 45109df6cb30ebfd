"""What all commands have in common: how they end."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

QUESTIONS = str(Path(__file__).parents[3] / "examples" / "questions.jsonl")
FULL = Path("/dev/full")
QUICK = ("--simulate", "1", "--num-predict", "1")


@pytest.fixture
def nobody() -> Iterator[int]:
    """The end to write to of a pipe whose reader has left."""
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    yield write_fd
    os.close(write_fd)


@pytest.fixture
def question(tmp_path: Path) -> Iterator[Any]:
    """A standard input that asks one question."""
    path = tmp_path / "question"
    path.write_text("Hello?\n")
    with path.open() as file:
        yield file


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["run", "--help"],
        ["--version"],
        ["status"],
        ["status", "--json"],
        ["status", "--watch"],
        ["status", "--watch", "--json"],
        ["chat", "llama3.2"],
        ["run", QUESTIONS, *QUICK],
        ["run", QUESTIONS, *QUICK, "--json", "-o", "out.jsonl"],
    ],
    ids=" ".join,
)
def test_a_reader_that_leaves_is_told_in_one_way(
    start: Any,
    environment: dict[str, str],
    ollama_simulator: Any,
    nobody: int,
    question: Any,
    command: list[str],
) -> None:
    """``triollama … | true``: one line and exit code 2 from every command, and no traceback."""
    settings = {"env": environment | {"OLLAMA_HOST": ollama_simulator.url}, "stdin": question}
    process = start(*command, stdout=nobody, **settings)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 2, stderr
    assert stderr.splitlines()[-1] == "error: cannot write standard output: its reader has left"
    assert "Traceback" not in stderr
    assert "ignored" not in stderr


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has it")
@pytest.mark.parametrize("command", [["--help"], ["status", "--json"], ["chat", "llama3.2"]])
def test_a_full_disk_is_told(
    start: Any,
    environment: dict[str, str],
    ollama_simulator: Any,
    question: Any,
    command: list[str],
) -> None:
    """What does not fit is no success either."""
    settings = {"env": environment | {"OLLAMA_HOST": ollama_simulator.url}, "stdin": question}
    with FULL.open("w") as full:
        process = start(*command, stdout=full, **settings)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 2
    assert stderr == "error: cannot write standard output: No space left on device\n"


def test_a_closed_standard_output_is_told(start: Any) -> None:
    """Where something is printed, and nowhere else."""
    ends = []
    for command in (["--version"], ["batch", "status", "nothing.jsonl"]):
        shell = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "triollama_adapters.cli"]
        process = start(*command, program=shell)
        _, stderr = process.communicate(timeout=30)
        ends.append((process.returncode, stderr))
    assert ends[0] == (2, "error: cannot write standard output: it is closed\n")
    assert ends[1][0] == 2
    assert "there is no batch" in ends[1][1]
