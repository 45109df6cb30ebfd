"""``triollama batch`` as a user runs it: begun, stopped, resumed, looked at, tried again."""

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Write = Callable[..., Path]

QUESTIONS = [{"id": f"q{i}", "question": f"What is {i} plus {i}?"} for i in range(40)]
BEGIN = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "2")


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of an output."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_each_row_is_answered_once(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Answers in one file, what failed in another; and what it came to is told at any time."""
    write_lines(*QUESTIONS, "{broken")
    done = run(*BEGIN)
    assert done.returncode == 1, done.stderr
    answers = records_of(tmp_path / "out.jsonl")
    assert sorted(each["index"] for each in answers) == list(range(40))
    assert all(each["content"] and each["id"] == f"q{each['index']}" for each in answers)
    [failed] = records_of(tmp_path / "out.errors.jsonl")
    assert (failed["index"], failed["error"]["type"]) == (40, "LineNotJson")
    told = run("batch", "status", "out.jsonl", "--json")
    state = json.loads(told.stdout)
    assert (state["done"], state["failed"], state["errors"]) == (40, 1, {"LineNotJson": 1})
    assert state["output_tokens"] == sum(each["usage"]["output_tokens"] for each in answers)


def test_in_the_order_of_the_input(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """With the fields that are wanted, and no others."""
    write_lines(*QUESTIONS)
    done = run(*BEGIN, "--in-order", "--select", "id,content", "--prompt", "Answer: {question}")
    assert done.returncode == 0, done.stderr
    answers = records_of(tmp_path / "out.jsonl")
    assert [each["id"] for each in answers] == [each["id"] for each in QUESTIONS]
    assert {tuple(each) for each in answers} == {("index", "id", "content")}


def test_openai_lines_give_openai_lines(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """With the models that one has."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    write_lines(*[line | {"custom_id": f"c{number}"} for number in range(5)])
    done = run(*BEGIN, "--model-for", "gpt-4o=llama3.2")
    assert done.returncode == 0, done.stderr
    answers = records_of(tmp_path / "out.jsonl")
    assert sorted(each["custom_id"] for each in answers) == [f"c{number}" for number in range(5)]
    for each in answers:
        assert each["response"]["status_code"] == 200
        assert each["response"]["body"]["choices"][0]["message"]["content"]


def test_stopped_and_resumed(
    start: Callable[..., Any], run: Run, write_lines: Write, tmp_path: Path
) -> None:
    """Ctrl-C finishes what runs; a resume asks for the rest, and nothing twice."""
    write_lines(*QUESTIONS)
    process = start(*BEGIN, "--concurrency", "2", "--num-predict", "400")
    output = tmp_path / "out.jsonl"
    until_s = time.monotonic() + 20
    while not (output.exists() and output.stat().st_size) and time.monotonic() < until_s:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert re.search(r"finishing [12] rows? that run", stderr)
    assert "triollama batch resume out.jsonl" in stderr
    before = output.read_bytes()
    assert 0 < len(records_of(output)) < 40
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(before)
    assert sorted(each["index"] for each in records_of(output)) == list(range(40))


def test_what_failed_is_tried_again(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Once there is a model of that name, say; what was answered stays."""
    write_lines(*[{"model": f"m{number}", "prompt": "Why?"} for number in range(3)])
    assert run(*BEGIN).returncode == 1
    assert len(records_of(tmp_path / "out.errors.jsonl")) == 3
    done = run("batch", "retry-failed", "out.jsonl")
    assert done.returncode == 1
    assert len(records_of(tmp_path / "out.errors.jsonl")) == 3
    assert (tmp_path / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("batch", "missing.jsonl", "-o", "out.jsonl", "--simulate", "1"), "missing.jsonl"),
        (("batch", "resume", "nowhere.jsonl"), "nowhere.jsonl"),
        (("batch", "status", "nowhere.jsonl"), "nowhere.jsonl"),
        ((*BEGIN, "--prompt", "{question}", "--field", "question"), "--prompt and --field"),
        ((*BEGIN, "--shard", "9/8"), "shard"),
        ((*BEGIN, "--model-for", "a"), "NAMED=ASKED"),
        (("batch", "in.jsonl", "-o", "in.jsonl", "--simulate", "1"), "is the output of this batch"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: Run, write_lines: Write, arguments: tuple[str, ...], told: str
) -> None:
    """And changes nothing."""
    path = write_lines(*QUESTIONS)
    before = path.read_bytes()
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert path.read_bytes() == before


def test_a_changed_input_is_noticed(run: Run, write_lines: Write) -> None:
    """A row that was answered already must be the same, unless that is accepted."""
    write_lines(*QUESTIONS)
    assert run(*BEGIN).returncode == 0
    write_lines(*[{"id": "x", "question": "What else?"}], *QUESTIONS[1:], *QUESTIONS[:2])
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert "line 1 was answered with other content" in done.stderr
    done = run("batch", "resume", "out.jsonl", "--accept-changes")
    assert done.returncode == 0, done.stderr
    assert "rows answered         42\n" in done.stderr


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_job_goes_on_without_its_journal(
    run: Run, write_lines: Write, tmp_path: Path, how: str
) -> None:
    """It is made anew from the output; what it alone knew must be said again."""
    write_lines(*QUESTIONS)
    assert run(*BEGIN, "--limit", "10").returncode == 0
    before = (tmp_path / "out.jsonl").read_bytes()
    journal = tmp_path / "out.jsonl.journal"
    if how == "gone":
        journal.unlink()
    else:
        journal.write_bytes(bytes(len(journal.read_bytes())))
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert "with --go-on" in done.stderr
    done = run(*BEGIN, "--go-on")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_bytes().startswith(before)
    assert sorted(each["index"] for each in records_of(tmp_path / "out.jsonl")) == list(range(40))
    assert "Recovery(" not in done.stderr


def test_a_job_that_gives_up_says_how_far_it_came(
    run: Run, write_lines: Write, tmp_path: Path
) -> None:
    """With an exit code of its own, and how to go on; status tells the same."""
    write_lines(*QUESTIONS, "{broken")  # the last: by then it is known how many rows there are
    done = run(*BEGIN, "--fail-fast", "--concurrency", "1")
    assert done.returncode == 4, done.stderr
    *summary, error = done.stderr.splitlines()
    assert error == "error: a row failed (LineNotJson), and --fail-fast ends the job"
    text = "\n".join(summary)
    left = r"(about )?\d+ rows; aborted: a row failed .*; (about )?\d+ rows are left$"
    assert re.search(rf"^rows  +\d+ of {left}", text, re.M)
    assert re.search(r"^  LineNotJson  +1  first: line 41 is not JSON", text, re.M)
    assert re.search(r"^errors in  +out.errors.jsonl$", text, re.M)
    assert re.search(r"^go on with  +triollama batch resume out.jsonl$", text, re.M)
    told = run("batch", "status", "out.jsonl")
    assert re.search(rf"^rows  +\d+ of {left}", told.stdout, re.M)
    again = run("batch", "resume", "out.jsonl", "--no-fail-fast", "--concurrency", "100")
    assert again.returncode == 1, again.stderr
    assert "rows                  41 of 41 rows; complete\n" in again.stderr
    assert len(records_of(tmp_path / "out.jsonl")) == 40


def test_programs_are_told_as_json(run: Run, write_lines: Write) -> None:
    """One object a line on standard output, and nothing for people."""
    write_lines(*QUESTIONS, "{broken")
    done = run(*BEGIN, "--json", "--price-output", "2.5")
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[0]["event"], events[0]["rows"], events[0]["done"]) == ("begun", None, 0)
    [error] = [each for each in events if each["event"] == "error"]
    assert error["kind"] == "LineNotJson"
    ended = events[-1]
    assert (ended["event"], ended["state"], ended["exit_code"]) == ("ended", "complete", 1)
    assert (ended["done"], ended["failed"], ended["rows"], ended["left"]) == (40, 1, 41, 0)
    assert ended["cost"] == pytest.approx(2.5 * ended["output_tokens"] / 1e6)
    assert ended["latency_ms"]["count"] == 40
    assert ended["latency_ms"]["p50"] >= ended["first_token_ms"]["p50"] > 0
    assert sum(each["rows"] for each in ended["lanes"]) == 40
    told = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    same = ended.keys() - {"event", "exit_code", "lanes"}
    assert {key: told[key] for key in same} == {key: ended[key] for key in same}
    assert (told["pid"], told["input_rows"]) == (None, 41)


def test_a_job_is_looked_at_while_it_runs(
    start: Callable[..., Any], run: Run, write_lines: Write, tmp_path: Path
) -> None:
    """Then when it was killed, and when it is complete; a look leaves no files behind."""
    write_lines(*QUESTIONS)
    process = start(*BEGIN, "--concurrency", "2", "--num-predict", "400")

    def look() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
        return told

    until_s = time.monotonic() + 20
    output = tmp_path / "out.jsonl"
    while not (output.exists() and output.stat().st_size) and time.monotonic() < until_s:
        time.sleep(0.05)
    running = look()
    assert (running["state"], running["pid"]) == ("running", process.pid)
    assert running["done"] >= 1
    assert len(running["lanes"]) == 2
    process.kill()
    process.wait()
    before = {path.name for path in tmp_path.iterdir()}
    died = look()
    assert (died["state"], died["pid"], died["running"]) == ("died", None, 0)
    assert running["done"] <= died["done"] < 40
    assert {path.name for path in tmp_path.iterdir()} == before
    assert run("batch", "resume", "out.jsonl").returncode == 0
    whole = look()
    assert (whole["state"], whole["done"], whole["rows"]) == ("complete", 40, 40)
    watched = run("batch", "status", "out.jsonl", "--watch")
    assert watched.returncode == 0
    assert watched.stdout.startswith("rows                  40 of 40 rows; complete\n")


def test_an_input_that_has_grown_is_counted_again(run: Run, write_lines: Write) -> None:
    """What a run counted is not taken for the end of the next one."""
    write_lines(*QUESTIONS[:10])
    assert run(*BEGIN).returncode == 0
    write_lines("{broken", *QUESTIONS[1:])
    done = run("batch", "resume", "out.jsonl", "--accept-changes")
    assert done.returncode == 0, done.stderr
    told = json.loads(run("batch", "status", "out.jsonl", "--json").stdout)
    assert (told["state"], told["rows"], told["input_rows"]) == ("complete", 40, 40)
