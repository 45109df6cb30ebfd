"""``triollama batch`` stopped, ended and gone on with: what is remembered, and what is not lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.cli.batch_runs import (
    ABORTED,
    WAIT_S,
    Server,
    assert_rows,
    questions,
    records_of,
    wait_for_rows,
)

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Write = Callable[..., Path]


def wait_for_handlers(pid: int) -> None:
    """Return when a process listens for signals."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("no /proc")
    until_s = time.monotonic() + WAIT_S
    while True:
        [caught] = [line for line in status.read_text().splitlines() if line.startswith("SigCgt")]
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        assert time.monotonic() < until_s
        time.sleep(0.02)


def notes_of(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the journal has of the job: its settings, and how it is run."""
    state = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    return state["settings"], state["notes"]


def test_a_resume_is_as_the_last_run(run: Run, write_lines: Write, server: Server) -> None:
    """Servers, concurrency and order are kept, each until another is given."""
    path = write_lines(*questions(10))
    assert run(*server.begin, "--concurrency", "3", "--in-order", "--tries", "2").returncode == 0
    servers = {"endpoint": [server.url], "simulate": 0, "api_key_env": None}
    kept = servers | {"concurrency": 3, "in_order": True, "tries": 2}
    assert notes_of(run)[1] == kept
    path.write_text(path.read_text() + '{"question": "And then?"}\n' * 30)
    done = run("batch", "resume", "out.jsonl", "--concurrency", "5")
    assert done.returncode == 0, done.stderr
    assert [each["index"] for each in records_of(path.with_name("out.jsonl"))] == list(range(40))
    assert notes_of(run)[1] == kept | {"concurrency": 5}
    assert run("batch", "resume", "out.jsonl", "--simulate", "1").returncode == 0
    assert notes_of(run)[1] == kept | {"concurrency": 5, "endpoint": [], "simulate": 1}


def test_the_model_that_was_found_is_kept(run: Run, write_lines: Write) -> None:
    """A fleet that has more models by now does not change what is asked."""
    write_lines(*questions(3))
    assert run("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1").returncode == 0
    model = notes_of(run)[0]["model"]
    assert model
    told = run("batch", "resume", "out.jsonl", "--simulate", "1")
    assert told.returncode == 0, told.stderr
    other = run("batch", "in.jsonl", "-o", "out.jsonl", "--go-on", "-m", "qwen3:8b")
    assert other.returncode != 0
    assert notes_of(run)[0]["model"] == model


def test_going_on_is_as_the_last_run(run: Run, write_lines: Write, server: Server) -> None:
    """`--go-on` knows what a resume knows: servers, order, prices."""
    path = write_lines(*questions(10))
    given = ("--price-output", "5", "--in-order", "--concurrency", "3")
    assert run(*server.begin, *given).returncode == 0
    notes = notes_of(run)[1]
    before = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    path.write_text(path.read_text() + '{"question": "And then?"}\n' * 30)
    begin = (*server.begin[:4], "-m", "llama3.2", "--go-on")
    told = run(*begin, "--dry-run")
    assert told.returncode == 0, told.stdout + told.stderr
    done = run(*begin)
    assert done.returncode == 0, done.stderr
    assert [each["index"] for each in records_of(path.with_name("out.jsonl"))] == list(range(40))
    assert notes_of(run)[1] == notes
    state = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    assert state["cost"] > before["cost"] > 0


def test_the_first_failure_ends_it_with_what_was_answered(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """`--fail-fast` keeps all answers that came, and the failure; a resume does the others."""
    write_lines(*questions(20, "please fail"), *questions(80))
    done = run(*server.begin, "--fail-fast", "--concurrency", "4")
    assert done.returncode == ABORTED
    assert done.stderr.splitlines()[-1].startswith("error: a row failed (")
    [failed] = records_of(tmp_path / "out.errors.jsonl")
    assert failed["index"] == 20
    answered = {each["index"] for each in records_of(tmp_path / "out.jsonl")}
    assert 0 < len(answered) < 100
    done = run("batch", "resume", "out.jsonl", "--concurrency", "50")
    assert done.returncode == 1, done.stderr
    assert_rows(tmp_path / "out.jsonl", set(range(101)) - {20})


@pytest.mark.parametrize("how", ["fifo", "descriptor", "standard input"])
def test_a_pipe_loses_no_row(
    start: Callable[..., Any],
    write_lines: Write,
    server: Server,
    tmp_path: Path,
    how: str,
) -> None:
    """Neither those that come before the servers are asked, nor those that come late."""
    lines = [json.dumps(each).encode() + b"\n" for each in questions(30)]
    options: dict[str, Any] = {}
    reading = writing = -1
    if how == "fifo":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no FIFO here")
        name = str(tmp_path / "in.jsonl")
        os.mkfifo(name)
    else:
        reading, writing = os.pipe()
        name = "-" if how == "standard input" else f"/dev/fd/{reading}"
        if how == "descriptor" and not Path(name).exists():
            pytest.skip("no /dev/fd here")
        options = {"stdin": reading} if how == "standard input" else {"pass_fds": (reading,)}

    def write() -> None:
        with open(name if how == "fifo" else writing, "wb", buffering=0) as file:  # noqa: PTH123
            file.write(lines[0] + lines[1][:10])
            time.sleep(1.0)
            file.write(lines[1][10:])
            for line in lines[2:]:
                file.write(line)

    thread = threading.Thread(target=write)
    process = start("batch", name, *server.begin[2:], **options)
    thread.start()
    if reading >= 0:
        os.close(reading)
    _, stderr = process.communicate(timeout=WAIT_S)
    thread.join()
    assert process.returncode == 0, stderr
    assert_rows(tmp_path / "out.jsonl", range(30))


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_silent_pipe_does_not_keep_it(
    start: Callable[..., Any], server: Server, tmp_path: Path, *, is_begun: bool
) -> None:
    """One Ctrl-C ends it while it waits for a row that does not come; what came is kept."""
    process = start("batch", "-", *server.begin[2:], stdin=subprocess.PIPE)
    if is_begun:
        process.stdin.write("".join(json.dumps(each) + "\n" for each in questions(5)))
        process.stdin.flush()
        wait_for_rows(tmp_path / "out.jsonl", 5)
    else:
        wait_for_handlers(process.pid)
    process.send_signal(signal.SIGINT)
    process.wait(WAIT_S)
    assert process.returncode == 130, process.stderr.read()
    if is_begun:
        assert_rows(tmp_path / "out.jsonl", range(5))
    else:
        assert list(tmp_path.iterdir()) == []


def test_a_second_stop_gives_up_what_hangs(
    start: Callable[..., Any], run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """The first one waits for it; after the second the answers that came are kept."""
    write_lines(*questions(12, "please hang"))
    process = start(*server.begin)
    wait_for_rows(tmp_path / "out.jsonl", 12)
    process.send_signal(signal.SIGINT)
    assert "finishing 1 row that runs" in process.stderr.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    process.send_signal(signal.SIGTERM)
    process.wait(WAIT_S)
    told = process.stderr.read()
    assert process.returncode == 130, told
    assert re.search(r"^cut off +1 row, to be asked again$", told, re.MULTILINE)
    assert_rows(tmp_path / "out.jsonl", range(12))
    watched = run("batch", "status", "out.jsonl", "--watch")  # ends, as nobody runs it
    assert watched.returncode == 0, watched.stderr
    assert "; interrupted; " in watched.stdout
    assert "triollama batch resume out.jsonl" in watched.stdout
    server.mend()
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert_rows(tmp_path / "out.jsonl", range(13))


@pytest.mark.parametrize("missing", ["servers", "input"])
def test_failures_are_kept_until_they_can_be_tried(
    run: Run, write_lines: Write, server: Server, tmp_path: Path, missing: str
) -> None:
    """`retry-failed` forgets nothing before it has its servers and its input."""
    path = write_lines(*questions(5, "please fail", "please fail"))
    assert run(*server.begin).returncode == 1
    errors = tmp_path / "out.errors.jsonl"
    before = errors.read_bytes()
    assert_rows(errors, [5, 6])
    aside = path.with_name("elsewhere.jsonl")
    if missing == "input":
        path.rename(aside)
        done = run("batch", "retry-failed", "out.jsonl")
        assert done.returncode == 2
        assert "in.jsonl" in done.stderr
        aside.rename(path)
    else:
        done = run("batch", "retry-failed", "out.jsonl", "--endpoint", "http://127.0.0.1:1")
        assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert errors.read_bytes() == before
    server.mend()
    done = run("batch", "retry-failed", "out.jsonl")  # an address that was wrong is not kept
    assert done.returncode == 0, done.stderr
    assert errors.read_bytes() == b""
    assert_rows(tmp_path / "out.jsonl", range(7))


@pytest.mark.parametrize("change", ["another", "gone"])
def test_failures_are_kept_if_the_input_has_changed(
    run: Run, write_lines: Write, server: Server, tmp_path: Path, change: str
) -> None:
    """Of the rows that were answered; those that failed may be put right, or taken out."""
    path = write_lines(*questions(5, "please fail"), *questions(1))
    assert run(*server.begin).returncode == 1
    errors = tmp_path / "out.errors.jsonl"
    before, lines = errors.read_bytes(), path.read_text().splitlines(keepends=True)
    lines[5] = '{"question": "Please."}\n'
    path.write_text(
        "".join(lines[:-1] if change == "gone" else ['{"question": "?"}\n', *lines[1:]])
    )
    done = run("batch", "retry-failed", "out.jsonl")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: the input has changed since: ")
    assert "--accept-changes" in done.stderr
    assert errors.read_bytes() == before
    done = run("batch", "retry-failed", "out.jsonl", "--accept-changes")
    assert done.returncode == 0, done.stderr
    assert errors.read_bytes() == b""
    assert_rows(tmp_path / "out.jsonl", range(7))


def test_a_shrunk_input_is_not_complete(run: Run, write_lines: Write, server: Server) -> None:
    """Unless somebody takes that."""
    path = write_lines(*questions(20))
    assert run(*server.begin).returncode == 0
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert "it has 5 rows now, and row 20 has an outcome" in done.stderr
    state = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    assert (state["state"], state["done"], state["input_rows"]) == ("aborted", 20, 20)
    done = run("batch", "resume", "out.jsonl", "--accept-changes")
    assert done.returncode == 0, done.stderr


def test_a_row_that_failed_may_be_put_right(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """Without leave: nothing that was answered has changed."""
    path = write_lines(*questions(5), "not json")
    assert run(*server.begin).returncode == 1
    path.write_text(path.read_text().replace("not json", '{"question": "Please."}'))
    done = run("batch", "retry-failed", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert_rows(tmp_path / "out.jsonl", range(6))


def test_no_prompt_is_in_a_status(run: Run, write_lines: Write, server: Server) -> None:
    """A program gets it by length and hash, as people do when it has changed."""
    write_lines(*questions(2))
    texts = ("--prompt", "Canary {question}", "--system", "canary " * 30)
    assert run(*server.begin, *texts).returncode == 0
    told = run("batch", "status", "out.jsonl", "--json").stdout
    assert "anary" not in told
    settings = json.loads(told)["settings"]
    assert re.fullmatch(r"17 characters #[0-9a-f]{8}", settings["prompt"])
    assert re.fullmatch(r"210 characters #[0-9a-f]{8}", settings["system"])
