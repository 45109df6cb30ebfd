"""``triollama batch export`` as a user runs it."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.cli import _batch_export

Run = Callable[..., Any]
Write = Callable[..., Path]

BEGIN = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1")


@pytest.mark.slow
def test_answers_become_a_table_and_a_matrix(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Told in one line; an existing file is kept."""
    write_lines(*[{"id": f"q{at}", "text": f"What is {at}?"} for at in range(20)])
    done = run(*BEGIN, "--num-predict", "5")
    assert done.returncode == 0, done.stderr
    done = run("batch", "export", "out.jsonl", "-o", "t.csv", "--sorted", "--select", "id,content")
    assert (done.returncode, done.stderr) == (0, "20 rows are in t.csv\n")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert [row["id"] for row in rows] == [f"q{at}" for at in range(20)]
    assert all(row["content"] for row in rows)
    done = run("batch", "export", "out.jsonl", "-o", "t.csv")
    assert done.returncode == 2
    assert done.stderr == "error: t.csv exists; take another name, or write over it with --force\n"
    done = run("batch", "export", "out.jsonl", "-o", "v.npy")
    assert done.returncode == 2
    assert "row 0 has no embeddings" in done.stderr
    done = run("batch", "export", "out.jsonl", "-o", "t.parquet")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_long_export_shows_how_far_it_is(
    run: Run, write_lines: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its third second on; here at once."""
    write_lines(*[{"index": at, "content": "x" * 100} for at in range(30_000)], name="out.jsonl")
    monkeypatch.setattr(_batch_export, "SHOW_AFTER_S", 0)
    done = run("batch", "export", "out.jsonl", "-o", "t.csv")
    assert done.returncode == 0
    assert re.search(r"s  \d+% read, [\d,]+ rows written\n", done.stderr)
    assert done.stderr.endswith("30,000 rows are in t.csv\n")
