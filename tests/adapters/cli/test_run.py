"""``triollama run`` as a user runs it: a process, real sockets, simulated servers."""

import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from triollama import EngineError
from triollama_adapters.cli import _fleet

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Write = Callable[..., Path]
Read = Callable[..., list[dict[str, Any]]]

QUESTIONS = [{"id": f"q{i}", "question": f"What is {i} plus {i}?"} for i in range(40)]


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_every_line_is_answered_once(run: Run, write_lines: Write, read_records: Read) -> None:
    """Each index once, with the input's fields, the answer, its cost, way and times."""
    write_lines(*QUESTIONS)
    done = run("run", "in.jsonl", "--simulate", "2", "--concurrency", "20", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    records = read_records()
    assert [record["index"] for record in records] == list(range(40))
    for record, question in zip(records, QUESTIONS, strict=True):
        assert record.items() >= question.items()
        assert record["content"]
        assert record["usage"]["output_tokens"] > 0
        assert [attempt["endpoint"] for attempt in record["attempts"]] == [record["endpoint"]]
        assert 0 < record["timings"]["first_token_ms"] <= record["timings"]["total_ms"]
        assert "error" not in record
    assert len({record["endpoint"] for record in records}) == 2
    assert re.search(r"streams complete +40\n", done.stderr)
    assert re.search(r"errors +0\n", done.stderr)


def test_bad_lines_become_records_and_the_others_run(
    run: Run, write_lines: Write, read_records: Read, tmp_path: Path
) -> None:
    """Not JSON, not an object, no prompt, too long: each is its own error; blank ones go."""
    path = write_lines(
        "\ufeff" + json.dumps(QUESTIONS[0]),
        "{broken",
        "",
        "[1, 2]",
        {"id": "no prompt"},
        '{"question": "' + "x" * 4_200_000 + '"}',
        {"question": 5},
        QUESTIONS[1],
    )
    with path.open("ab") as file:
        file.write(b'{"question": "\xff"}\n' + json.dumps(QUESTIONS[2]).encode())
    done = run("run", "in.jsonl", "--simulate", "1", "-o", "out.jsonl", "--json")
    assert done.returncode == 1, done.stderr
    records = {record["index"]: record for record in read_records()}
    kinds = {index: record.get("error", {}).get("type") for index, record in records.items()}
    assert kinds == {
        0: None,
        1: "LineNotJson",
        3: "LineNotAnObject",
        4: "PromptMissing",
        5: "LineTooLong",
        6: "PromptMissing",
        7: None,
        8: "LineNotUtf8",
        9: None,
    }
    assert records[4]["id"] == "no prompt"
    assert "'question'; its fields are: id" in records[4]["error"]["message"]
    summary = json.loads(done.stdout)
    assert (summary["records"], summary["complete"], summary["errors"]) == (9, 3, 6)


def test_json_puts_one_object_on_stdout(run: Run, write_lines: Write) -> None:
    """A script reads the summary; people read the table on stderr instead."""
    write_lines(*QUESTIONS)
    done = run("run", "in.jsonl", "--simulate", "1", "-o", "/dev/null", "--json", "--seed", "3")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["complete"] == 40
    assert summary["first_token_ms_p50"] <= summary["first_token_ms_p99"]
    assert sum(summary["endpoints"].values()) == 40
    assert "streams complete" not in done.stderr


def test_pipes_in_and_out(run: Run) -> None:
    """``-`` reads standard input; without -o the records, and only they, are on stdout."""
    lines = "".join(json.dumps(question) + "\n" for question in QUESTIONS[:3])
    done = run("run", "-", "--simulate", "1", "-o", "-", stdin=lines)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(line)["id"] for line in done.stdout.split("\n")[:-1]) == [
        "q0",
        "q1",
        "q2",
    ]


def test_options_reach_the_server(run: Run, write_lines: Write, read_records: Read) -> None:
    """--num-predict cuts the answers, another prompt field is asked, --system does no harm."""
    write_lines({"text": "Tell me everything."})
    arguments = ["--prompt-field", "text", "--num-predict", "5", "--system", "Be kind."]
    done = run("run", "in.jsonl", "--simulate", "1", "-o", "out.jsonl", *arguments)
    assert done.returncode == 0, done.stderr
    [record] = read_records()
    assert record["usage"]["output_tokens"] == 5
    assert record["done_reason"] == "length"


def test_an_option_that_ollama_does_not_have_is_told(run: Run, write_lines: Write) -> None:
    """It is sent all the same: a newer server may have it."""
    write_lines(QUESTIONS[0])
    done = run("run", "in.jsonl", "--simulate", "1", "-o", "/dev/null", "--option", "foo=bar")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: Ollama is not known to have an option 'foo'\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.jsonl"], "none.jsonl: No such file"),
        (["."], "is a directory"),
        (["empty.jsonl"], "is empty"),
        (["blank.jsonl"], "only blank lines"),
        (["utf16.jsonl"], "UTF-16"),
        (["in.jsonl", "-o", "no/such/folder"], "cannot write no/such/folder"),
        (["in.jsonl", "-o", "old.jsonl"], "exists.*--overwrite"),
        (["in.jsonl", "-o", "in.jsonl", "--overwrite"], "also the input"),
        (["in.jsonl", "--json"], "add -o FILE"),
        (["in.jsonl", "--endpoint", "http://127.0.0.1:1"], "exclude each other"),
        (["in.jsonl", "--concurrency", "0"], "--concurrency"),
        (["in.jsonl", "--temperature", "nan"], "--temperature"),
        (["in.jsonl", "--option", "num_ctx"], "NAME=VALUE"),
        (["in.jsonl", "--model", "gpt-9"], "no endpoint has the model 'gpt-9'; there are: "),
        (["in.jsonl", "--bogus"], "Unknown option: --bogus; see: triollama run --help"),
        (["in.jsonl", "--modle", "x"], r"Did you mean --model\? see: triollama run --help"),
        (["--bogus"], "no such option"),
        (["--bogus", "3", "in.jsonl"], "no such option"),
        (["in.jsonl", "-o", "--json"], "no such option"),
        (["in.jsonl", "x", "y"], "unexpected: x y;.* see: triollama run --help"),
        ([], "FILE"),
    ],
)
def test_bad_input_is_one_clear_line(
    run: Run, write_lines: Write, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """What is wrong, where, and exit code 2; no output appears and none is destroyed."""
    write_lines(QUESTIONS[0])
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "blank.jsonl").write_text("\n  \n")
    (tmp_path / "utf16.jsonl").write_text("{}", encoding="utf-16")
    (tmp_path / "old.jsonl").write_text("old")
    before = sorted(tmp_path.iterdir())
    done = run("run", *arguments, "--simulate", "1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert re.search(words, done.stderr)
    assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.jsonl").read_text() == "old"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:11434", "no scheme.*write http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434/api", "path"),
        ("ftp://127.0.0.1", "http"),
        ("http://user:sesame@127.0.0.1", ""),
    ],
)
def test_an_unusable_address_is_told(run: Run, write_lines: Write, url: str, words: str) -> None:
    """Exit code 2, and a password in it is not repeated."""
    write_lines(QUESTIONS[0])
    done = run("run", "in.jsonl", "--endpoint", url)
    assert done.returncode == 2
    assert re.search(words, done.stderr)
    assert "sesame" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_server_is_exit_code_3(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Every address is named, no record is written, and the output is not left behind."""
    write_lines(*QUESTIONS)
    ports = [free_port(), free_port()]
    endpoints = [part for port in ports for part in ("--endpoint", f"http://127.0.0.1:{port}")]
    done = run("run", "in.jsonl", *endpoints, "-o", "out.jsonl", "--model", "m")
    assert done.returncode == 3
    assert done.stderr.startswith("error: no endpoint could be reached")
    assert done.stderr.endswith("ollama serve, or without a model: triollama simulate\n")
    assert all(str(port) in done.stderr for port in ports)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_server_that_is_down_is_mentioned(
    run: Run, start: Any, write_lines: Write, read_records: Read
) -> None:
    """The others answer everything; the only model there is, is taken."""
    write_lines(*QUESTIONS)
    (Path.cwd() / "one.json").write_text('{"models": [{"name": "tiny"}]}')
    process = start("simulate", "--port", "0", "--config", "one.json")
    [url] = re.findall(r"http://\S+?:\d+", process.stderr.readline())
    dead = f"http://127.0.0.1:{free_port()}"
    speed = ["--num-predict", "3", "--concurrency", "4"]
    done = run("run", "in.jsonl", "--endpoint", url, "--endpoint", dead, "-o", "out.jsonl", *speed)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("warning: 127.0.0.1:")
    assert {record["endpoint"] for record in read_records()} == {url.removeprefix("http://")}


def test_servers_that_fail_every_request_are_exit_code_1(
    run: Run, start: Any, write_lines: Write, read_records: Read
) -> None:
    """They were reached; each record says what happened."""
    write_lines(*QUESTIONS)
    (Path.cwd() / "bad.json").write_text(
        '{"load_s": 0.0, "models": [{"name": "m", "load_error": "no memory"}]}'
    )
    process = start("simulate", "--port", "0", "--config", "bad.json")
    [url] = re.findall(r"http://\S+?:\d+", process.stderr.readline())
    done = run("run", "in.jsonl", "--endpoint", url, "-o", "out.jsonl")
    assert done.returncode == 1, done.stderr
    assert all("no memory" in record["error"]["message"] for record in read_records())


def test_a_simulator_that_does_not_start_is_told(
    run: Run, write_lines: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing was asked, so it is no matter of records: exit code 2, and no output is left."""

    @asynccontextmanager
    async def fail(*_: Any) -> AsyncIterator[list[str]]:
        raise EngineError("simulator 1 of 2 could not be started: no memory")
        yield []

    monkeypatch.setattr(_fleet, "open_simulators", fail)
    write_lines(*QUESTIONS)
    done = run("run", "in.jsonl", "--simulate", "2", "-o", "out.jsonl")
    assert done.returncode == 2
    assert done.stderr == "error: simulator 1 of 2 could not be started: no memory\n"
    assert not (tmp_path / "out.jsonl").exists()


def test_debug_shows_the_traceback(run: Run) -> None:
    """--debug is for those who report a defect."""
    done = run("run", "none.jsonl", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


MEASURED = """
import resource, sys
from triollama_adapters.cli import main
main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_input(start: Any, tmp_path: Path) -> None:
    """100 MB of lines that cannot be asked cost at most 16 MiB more than one of them."""
    peaks = []
    for count in (1, 1_000):
        with (tmp_path / "in.jsonl").open("w") as file:
            for _ in range(count):
                file.write(json.dumps({"other": "x" * 1_000, "no": 1}) + "\n")
                file.write("x" * 100_000 + "\n")
        arguments = ["run", "in.jsonl", "--simulate", "1", "-o", "/dev/null", "--json"]
        process = start(*arguments, program=[sys.executable, "-c", MEASURED])
        summary, peak_kib = process.communicate(timeout=60)[0].splitlines()
        assert json.loads(summary)["errors"] == 2 * count
        peaks.append(int(peak_kib))
    assert peaks[1] - peaks[0] <= 16 * 1024
