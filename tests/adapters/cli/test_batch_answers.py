"""``triollama batch`` with a check, a vote, and answers that become columns."""

import json
import sys
from collections.abc import Callable
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.cli._batch_answers import Answers
from triollama_adapters.cli._failures import CliError

Run = Callable[..., Any]
Write = Callable[..., Path]

QUESTIONS = [{"id": number, "question": f"What is {number} plus {number}?"} for number in range(6)]
BEGIN = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1")

CHECKS = """
def is_even(answer, row):
    if row["id"] % 2:
        return "Again, please." if row["id"] == 1 else False
    return True
"""


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of an output."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.slow
def test_a_check_and_a_vote(
    run: Run, write_lines: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resume has them again, and says so if it cannot."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    write_lines(*QUESTIONS)
    checks = tmp_path / "my_checks.py"
    checks.write_text(CHECKS)
    done = run(*BEGIN, "--check", "my_checks:is_even", "--vote", "3", "--num-predict", "8")
    assert done.returncode == 1, done.stderr
    answers = records_of(tmp_path / "out.jsonl")
    assert {each["id"] for each in answers} == {0, 2, 4}
    assert all(each["vote"]["share"] > 0 for each in answers)
    assert all(each["check"] == {"answers": 1} for each in answers)
    failed = {each["id"]: each for each in records_of(tmp_path / "out.errors.jsonl")}
    assert failed[1]["error"]["message"] == "Again, please. (the last of 3 answers)"
    assert failed[3]["error"]["type"] == "AnswerRejected"
    assert failed[3]["error"]["partial"]["content"]
    write_lines(*QUESTIONS, {"id": 6, "question": "More?"}, {"id": 7, "question": "More?"})
    checks.rename(tmp_path / "moved.py")
    del sys.modules["my_checks"]
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert "--check my_checks:is_even: there is no module my_checks in " in done.stderr
    (tmp_path / "moved.py").rename(checks)
    invalidate_caches()
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 1, done.stderr
    assert {each["id"] for each in records_of(tmp_path / "out.jsonl")} == {0, 2, 4, 6}


@pytest.mark.slow
def test_answers_become_columns(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """The schema is kept with the job, so that a resume does not need its file."""
    write_lines(*QUESTIONS)
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object", "properties": {"sum": {"type": "integer"}}}')
    done = run(*BEGIN, "--answer-format", "schema.json", "--columns", "*")
    assert done.returncode == 0, done.stderr
    schema.unlink()
    write_lines(*QUESTIONS, {"id": 6, "question": "More?"})
    assert run("batch", "resume", "out.jsonl").returncode == 0
    rows = records_of(tmp_path / "out.jsonl")
    assert {each["id"] for each in rows} == set(range(7))
    for each in rows:
        assert each["sum"] == json.loads(each["content"]).get("sum")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--check", "nowhere:f"), "--check nowhere:f: there is no module nowhere in "),
        (("--vote", "3", "--temperature", "0"), "at --temperature 0 none does"),
        (("--columns", "*"), "--columns '*' needs --answer-format with a schema"),
        (("--answer-format", "missing.json"), "cannot read missing.json"),
    ],
)
def test_what_cannot_be_is_told_before_any_work(
    run: Run, write_lines: Write, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """In one line, and nothing is left behind."""
    write_lines(*QUESTIONS)
    done = run(*BEGIN, *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_schema_must_be_one(tmp_path: Path) -> None:
    """An object of JSON, in a file that is not too long."""
    path = tmp_path / "schema.json"
    for content, told in ("[]", "no schema"), ("{", "is not JSON"), (" " * 2**20 + " ", "longer"):
        path.write_text(content)
        with pytest.raises(CliError, match=told):
            Answers(answer_format=str(path)).settings()
    path.write_text('{"type": "object", "properties": {"city": {"type": "string"}}}')
    told = "--columns names 'nope', which is no property of the schema; it has: city"
    with pytest.raises(CliError, match=told):
        Answers(columns="city, nope", answer_format=str(path)).settings()
    for columns in ("city", "*"):
        assert Answers(columns=columns, answer_format=str(path)).settings()["columns"] == [columns]
    path.write_text('{"type": "object"}')
    assert Answers(answer_format=str(path)).settings()["answer_format"] == {"type": "object"}
    assert Answers(columns="a, b", answer_format="json").settings() == {
        "answer_format": "json",
        "columns": ["a", "b"],
        "check": None,
        "check_retries": 2,
        "vote": 1,
        "vote_key": None,
    }
