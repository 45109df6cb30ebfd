"""What tests of ``triollama batch`` share: a server that fails some rows, and what is left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

WAIT_S = 20.0
"""So long at most does a test wait for what must come."""

ABORTED = 4
"""The exit code of a job that gave up."""


class Server:
    """A simulated server, where rows that say so fail or hang.

    Attributes:
        begin: the arguments that ask it.
    """

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator
        self.url: str = simulator.url
        self.begin = (
            "batch",
            "in.jsonl",
            "-o",
            "out.jsonl",
            "-m",
            "llama3.2",
            "--endpoint",
            self.url,
        )
        simulator.set_faults(
            {
                "fault": {"kind": "status", "status": 400, "text": "refused"},
                "prompt": "please fail",
            },
            {"fault": {"kind": "stall", "after_tokens": 2}, "prompt": "please hang"},
        )

    def mend(self) -> None:
        """Answer every row."""
        self._simulator.clear_faults()


def questions(count: int, *more: str) -> list[dict[str, str]]:
    """So many rows that are answered, and others."""
    return [{"question": f"What is {n} plus {n}?"} for n in range(count)] + [
        {"question": each} for each in more
    ]


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of an output."""
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


def assert_rows(path: Path, rows: Iterable[int]) -> None:
    """These rows are in a file, each once."""
    assert sorted(each["index"] for each in records_of(path)) == sorted(rows)


def wait_for_rows(path: Path, count: int) -> None:
    """Return when a file has so many records."""
    until_s = time.monotonic() + WAIT_S
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < until_s
        time.sleep(0.02)


def assert_refused(done: Any, told: str, code: int = 2) -> None:
    """It ended with one line that says this."""
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}
