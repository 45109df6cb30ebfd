"""A job that goes on with other limits than it was begun with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.work.limits import Limits
from triollama_adapters.cli._batch_job import Use

Run = Callable[..., Any]
Write = Callable[..., Path]

BEGIN = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1")
RESUME = ("batch", "resume", "out.jsonl")


def indices(path: Path) -> list[int]:
    """Which rows have an answer."""
    return sorted(json.loads(line)["index"] for line in path.read_bytes().splitlines())


@pytest.mark.slow
def test_a_trial_goes_on_with_more_rows(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """With some, then with all; each is asked once."""
    write_lines(*[{"text": str(number)} for number in range(9)])
    output = tmp_path / "out.jsonl"
    assert run(*BEGIN, "--limit", "2").returncode == 0
    assert run(*RESUME, "--limit", "4").returncode == 0
    assert indices(output) == [0, 1, 2, 3]
    assert run(*RESUME).returncode == 0
    assert indices(output) == [0, 1, 2, 3]
    done = run(*RESUME, "--limit", "3")
    assert done.returncode == 2
    assert "begun with other settings (limit: 4 -> 3)" in done.stderr
    assert run(*BEGIN, "--limit", "6", "--go-on").returncode == 0
    assert indices(output) == [0, 1, 2, 3, 4, 5]
    assert run(*RESUME, "--limit", "0").returncode == 0
    assert indices(output) == list(range(9))
    assert "9 of 9 rows; complete" in run("batch", "status", "out.jsonl").stdout


def test_each_limit_can_be_taken_off() -> None:
    """As if it had never been given."""
    off = Use(
        concurrency=0,
        only_between="off",
        use_at_most="off",
        give_up_after="off",
        tokens_per_minute=0,
    )
    assert off.limits() == Limits()
    assert off.notes().keys() == {
        "concurrency",
        "only_between",
        "use_at_most",
        "give_up_after",
        "tokens_per_minute",
    }
    assert Use(use_at_most="100%").limits() == Limits()
