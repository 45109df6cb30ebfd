"""``triollama run`` when it is interrupted: nothing complete is lost, nothing is left behind."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Write = Callable[..., Path]
Read = Callable[..., list[dict[str, Any]]]


def lines_of(path: Path) -> int:
    """How many lines a file has by now."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_until(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Look again and again until it holds."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_complete(
    start: Any, write_lines: Write, read_records: Read, tmp_path: Path, number: int
) -> None:
    """Whole lines, each index at most once, the count is told, 130, and no server stays behind."""
    write_lines(*({"question": f"{i}?"} for i in range(5_000)))
    arguments = ["--simulate", "2", "--concurrency", "20", "-o", "out.jsonl"]
    process = start("run", "in.jsonl", *arguments, start_new_session=True)
    wait_until(lambda: lines_of(tmp_path / "out.jsonl") > 30)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    records = read_records()
    assert len({record["index"] for record in records}) == len(records) < 5_000
    assert f"interrupted: {len(records):,} records are written" in stderr
    assert "Traceback" not in stderr
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_reader_that_leaves_ends_it(start: Any, write_lines: Write) -> None:
    """``triollama run … | head -1``: one line about it, no traceback."""
    write_lines(*({"question": f"{i}?"} for i in range(2_000)))
    process = start("run", "in.jsonl", "--simulate", "1")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 2
    assert process.stderr.read().splitlines()[-1].startswith("error: cannot write standard output")


def test_ctrl_c_of_a_terminal_reaches_the_simulators_too(
    start: Any, write_lines: Write, read_records: Read, tmp_path: Path
) -> None:
    """A terminal sends it to all processes at once: still no error records, and no other noise."""
    write_lines(*({"question": f"{i}?"} for i in range(5_000)))
    arguments = ["--simulate", "2", "--concurrency", "20", "-o", "out.jsonl"]
    process = start("run", "in.jsonl", *arguments, start_new_session=True)
    wait_until(lambda: lines_of(tmp_path / "out.jsonl") > 30)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert not any("error" in record for record in read_records())
    assert stderr.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in stderr
    assert "Fatal" not in stderr
