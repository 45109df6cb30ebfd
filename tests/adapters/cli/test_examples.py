"""The examples that the product ships do what they say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_questions_are_many_and_different() -> None:
    """Enough for 200 at once, each a question of its own in the field that the command expects."""
    lines = (EXAMPLES / "questions.jsonl").read_text().splitlines()
    questions = [json.loads(line) for line in lines]
    assert all(question.keys() == {"question"} for question in questions)
    assert len({question["question"] for question in questions}) == len(questions) >= 240


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "shown"),
    [
        ("first_stream.py", ["llama3.2"], r"\w+ .*\n\nUsage\("),
        ("many_at_once.py", ["llama3.2", "{url}"], r"(?s)(\w+ \(by 127.0.0.1:\d+\): .*){8}"),
        ("nearest.py", ["nomic-embed-text", "tea"], r"(?m)\A( *-?\d\.\d{3}  \w.*\.\n){4}\Z"),
    ],
)
def test_scripts_run(start: Any, script: str, arguments: list[str], shown: str) -> None:
    """Against a simulated server each prints what its first line promises."""
    process = start("simulate", "--port", "0", "--fast")
    [url] = re.findall(r"http://\S+?:\d+", process.stderr.readline())
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *(each.format(url=url) for each in arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"OLLAMA_HOST": url},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(shown, done.stdout), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("first_stream.py", ["llama3.2", "Why", "is", "it", "blue?"]),
        ("many_at_once.py", []),
        ("many_at_once.py", ["http://127.0.0.1:9", "http://127.0.0.1:8"]),
        ("nearest.py", ["nomic-embed-text"]),
    ],
)
def test_scripts_say_how_they_are_run(script: str, arguments: list[str]) -> None:
    """One line instead of a traceback, and exit code 2."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"Run: python examples/{script} .*MODEL.*\n", done.stderr)
