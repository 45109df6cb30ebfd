"""Rows of a table that name their model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

pytestmark = pytest.mark.slow


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file, in the order of the input."""
    return sorted(map(json.loads, path.read_bytes().splitlines()), key=lambda each: each["index"])


def test_rows_are_asked_of_the_model_that_they_name(
    run: Run, ollama_simulator: Any, write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    """Not of the one for all; if the first one names its own, none is needed."""
    write_lines("text,model", "a,qwen3:0.6b", "b,llama3.2", "c,alias", "d,", name="in.csv")
    begin = ("batch", "in.csv", "-o", "out.jsonl", "--endpoint", ollama_simulator.url)
    begin = (*begin, "--model-for", "alias=qwen3:0.6b")
    dry = run(*begin, "--limit", "3", "--dry-run", "--json")
    assert dry.returncode == 0, dry
    assert json.loads(dry.stdout)["input"]["models"] == {"qwen3:0.6b": 2, "llama3.2": 1}
    rule = {"fault": {"kind": "status", "status": 400, "text": "refused"}, "model": "qwen3:0.6b"}
    ollama_simulator.set_faults(rule)
    assert run(*begin).returncode == 1
    assert [each["index"] for each in records_of(tmp_path / "out.jsonl")] == [1]
    errors = [each["error"] for each in records_of(tmp_path / "out.errors.jsonl")]
    assert ["refused" in each["message"] for each in errors] == [True, True, False]
    assert errors[2]["type"] == "ModelMissing"


def test_a_column_that_names_no_models_is_told(
    run: Run, write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    """Before any work, by the first row; one option has it mean nothing."""
    write_lines("text,model", "a,Golf", "b,Polo", name="in.csv")
    begin = ("batch", "in.csv", "-o", "out.jsonl", "--simulate", "1", "-m", "llama3.2")
    for more, code in (((), 2), (("--dry-run",), 1)):
        done = run(*begin, *more)
        assert done.returncode == code
        assert (
            "field 'model' names the model 'Golf', which no endpoint" in done.stderr + done.stdout
        )
        assert {path.name for path in tmp_path.iterdir()} == {"in.csv"}
    assert run(*begin, "--model-for", "*=llama3.2").returncode == 0
    assert [each["model"] for each in records_of(tmp_path / "out.jsonl")] == ["Golf", "Polo"]
