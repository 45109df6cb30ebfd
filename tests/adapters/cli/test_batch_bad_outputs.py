"""``triollama batch`` with outputs and journals that are not usable, and disks that fail.

Each time one line that says what to do, the right exit code, nothing lost, and a job that goes on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.cli.batch_runs import (
    ABORTED,
    WAIT_S,
    Server,
    assert_refused,
    assert_rows,
    names,
    questions,
    records_of,
    wait_for_rows,
)
from tests.adapters.cli.conftest import PROGRAM

from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.journal import About, Journal

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Start = Callable[..., Any]
Write = Callable[..., Path]


def test_a_journal_of_another_version_is_left_alone(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """It says which; nothing is changed."""
    write_lines(*questions(3))
    assert run(*server.begin).returncode == 0
    journal = Journal.open(tmp_path / "out.jsonl.journal", Disk())
    about = journal.about()
    journal.set_about(About(about.settings, about.notes, version=99))
    journal.close()
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    for command in (
        ("batch", "resume", "out.jsonl"),
        ("batch", "status", "out.jsonl"),
        (*server.begin, "--go-on"),
    ):
        assert_refused(run(*command), "version 99")
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_a_journal_of_another_input_is_refused(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """With the two paths; and another content under the same path, with the row."""
    write_lines(*questions(3))
    write_lines(*questions(3), name="other.jsonl")
    assert run(*server.begin).returncode == 0
    other = ("batch", "other.jsonl", *server.begin[2:])
    assert_refused(run(*other), "go on with that batch (triollama batch resume out.jsonl)")
    done = run(*other, "--go-on")
    assert_refused(done, "other settings (input: ")
    assert "other.jsonl" in done.stderr
    write_lines({"question": "Something else?"}, *questions(3))
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: the input has changed since: line 1 ")
    assert_rows(tmp_path / "out.jsonl", range(3))


def test_two_processes_on_one_output(
    start: Start, run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """The second is refused with the first one's id, whatever it wants; the first goes on."""
    write_lines(*questions(5, "please hang"))
    process = start(*server.begin)
    wait_for_rows(tmp_path / "out.jsonl", 5)
    for command in (
        server.begin,
        (*server.begin, "--go-on"),
        ("batch", "resume", "out.jsonl"),
        ("batch", "retry-failed", "out.jsonl"),
    ):
        assert_refused(run(*command), f"in use by process {process.pid}")
    assert json.loads(run("batch", "status", "out.jsonl", "--json").stdout)["done"] == 5
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.wait(WAIT_S)
    server.mend()
    assert run("batch", "resume", "out.jsonl").returncode == 0
    assert_rows(tmp_path / "out.jsonl", range(6))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize(("blocks", "code"), [(8, 2), (80, 4), (120, 4)])
def test_a_disk_that_is_full(
    start: Start,
    run: Run,
    write_lines: Write,
    server: Server,
    tmp_path: Path,
    blocks: int,
    code: int,
) -> None:
    """Before or after it has begun: what was kept stays, and a resume does the rest."""
    write_lines(*questions(150))
    limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$0" "$@"', *PROGRAM]
    process = start(*server.begin, "--concurrency", "8", program=limited)
    _, stderr = process.communicate(timeout=WAIT_S)
    assert process.returncode == code, stderr
    last = stderr.splitlines()[-1]
    assert last.startswith("error: cannot write ")
    assert "resume" in last
    assert "Traceback" not in stderr
    output = tmp_path / "out.jsonl"
    known = {each["index"] for each in records_of(output)} if output.exists() else set()
    assert len(known) < 150
    assert bool(known) is (code == 4)
    resume = ("batch", "resume", "out.jsonl")
    done = run(*(resume if output.exists() else server.begin), "--concurrency", "100")
    assert done.returncode == 0, done.stderr
    assert_rows(output, range(150))


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("folder", "the output folder is a folder; give a file, such as folder/answers.jsonl"),
        ("no/out.jsonl", "there is no folder no for the output out.jsonl"),
        ("", "the output has no name"),
    ],
)
def test_an_output_that_can_be_no_file(
    run: Run, write_lines: Write, server: Server, tmp_path: Path, output: str, told: str
) -> None:
    """It is told what to give instead."""
    write_lines(*questions(3))
    (tmp_path / "folder").mkdir()
    assert_refused(run(*server.begin[:3], output, *server.begin[4:]), told)
    assert names(tmp_path) == {"in.jsonl", "folder"}


def test_a_folder_that_cannot_be_written_to(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """It is told, with the path."""
    write_lines(*questions(3))
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # an administrator may write everywhere, but not here
        folder = Path("/proc")
    if not folder.exists():
        pytest.skip("every folder can be written to")
    done = run(*server.begin[:3], str(folder / "out.jsonl"), *server.begin[4:])
    assert_refused(done, f"cannot write {folder}")
    assert f"its folder {folder}" in done.stderr
    assert "is safe" not in done.stderr
    folder.chmod(0o700) if folder.parent == tmp_path else None


@pytest.mark.parametrize("what", ["out.jsonl", "out.errors.jsonl"])
def test_an_output_that_is_removed(
    start: Start, run: Run, write_lines: Write, server: Server, tmp_path: Path, what: str
) -> None:
    """The job ends at the next commit, and its rows are asked again; nothing comes twice."""
    write_lines(*questions(3, "please fail"), *questions(200))
    process = start(*server.begin, "--concurrency", "2")
    wait_for_rows(tmp_path / "out.errors.jsonl", 1)
    (tmp_path / what).unlink()
    _, stderr = process.communicate(timeout=WAIT_S)
    assert process.returncode == ABORTED, stderr
    assert f"{what} was removed" in stderr.splitlines()[-1]
    server.mend()
    done = run("batch", "resume", "out.jsonl", "--concurrency", "100")
    assert done.returncode == (1 if what == "out.jsonl" else 0), done.stderr
    assert re.search(rf"repaired: {what} is missing or empty: its \d+ rows? ", done.stderr)
    assert "0 bytes" not in done.stderr
    failed = {each["index"] for each in records_of(tmp_path / "out.errors.jsonl")}
    assert failed == ({3} if what == "out.jsonl" else set())
    assert_rows(tmp_path / "out.jsonl", set(range(204)) - failed)


def test_a_journal_that_says_nothing_names_the_way_on(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """Wherever a user looks: `status`, `resume`, and the command that began it."""
    write_lines(*questions(3))
    assert run(*server.begin).returncode == 0
    connection = sqlite3.connect(tmp_path / "out.jsonl.journal")
    with connection:
        connection.execute("DELETE FROM named WHERE name = 'about'")
    connection.close()
    assert_refused(run("batch", "status", "out.jsonl"), "as the first time, with --go-on")
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert "as the first time, with --go-on" in done.stderr
    (tmp_path / "out.jsonl.journal").unlink()
    assert_refused(run(*server.begin), "its journal is gone: to go on with that batch give --go-on")
    done = run(*server.begin, "--go-on")
    assert done.returncode == 0, done.stderr
    assert_rows(tmp_path / "out.jsonl", range(3))
