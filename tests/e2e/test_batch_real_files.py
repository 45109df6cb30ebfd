"""A real file as plain records, as OpenAI's lines and as CSV, against three servers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import trio

from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.simulator import fast_config, open_simulator_processes
from triollama_adapters.simulator.answer import unbroken_answer

QUESTIONS = Path(__file__).parents[3] / "shared/data/gsm8k_test.jsonl"
CONFIG = fast_config(load_s=0.0, decode_tokens_per_s=2_000.0, num_parallel=64)
MODEL = "llama3.2"
PROMPT = "Solve: {question}"
SYSTEM = "Think first, then say the number."
END_WITHIN_S = 60.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not QUESTIONS.exists(), reason="needs ../shared/data"),
]


@cache
def rows() -> list[dict[str, str]]:
    """What is in the file."""
    return [json.loads(line) for line in QUESTIONS.read_bytes().splitlines()]


@cache
def answers() -> list[str]:
    """What a server answers to each row."""
    return [whole(row) for row in rows()]


def said(row: dict[str, str]) -> list[dict[str, str]]:
    """What is asked of a row."""
    asked = {"role": "user", "content": PROMPT.format(**row)}
    return [{"role": "system", "content": SYSTEM}, asked]


def whole(row: dict[str, str]) -> str:
    """What a server answers to a row that nobody disturbs."""
    body = {"model": MODEL, "messages": said(row), "stream": False}
    answer = unbroken_answer(CONFIG, "/api/chat", json.dumps(body).encode())
    text: str = answer["message"]["content"]
    return text


def write_plain(folder: Path) -> Path:
    """The file as it is."""
    path = folder / "in.jsonl"
    path.write_bytes(QUESTIONS.read_bytes())
    return path


def write_csv(folder: Path) -> Path:
    """As a table, with line ends and quotes inside its cells."""
    path = folder / "in.csv"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, ["question", "answer"])
        table.writeheader()
        table.writerows(rows())
    return path


def write_openai(folder: Path) -> Path:
    """As OpenAI's lines, which name another model."""
    path = folder / "in.jsonl"
    shared = {"method": "POST", "url": "/v1/chat/completions"}
    lines = [
        {"custom_id": f"q{number}", **shared, "body": {"model": "gpt-4o", "messages": said(row)}}
        for number, row in enumerate(rows())
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def of_flat(record: dict[str, Any]) -> tuple[int, str]:
    """The row and the text of a flat record; its fields are those of the row."""
    fields = {name: record[name] for name in ("question", "answer")}
    assert fields == rows()[record["index"]]
    return record["index"], record["content"]


def of_openai(record: dict[str, Any]) -> tuple[int, str]:
    """The row and the text of one of OpenAI's records."""
    assert record["response"]["status_code"] == 200
    [choice] = record["response"]["body"]["choices"]
    return int(record["custom_id"].removeprefix("q")), choice["message"]["content"]


@pytest.mark.parametrize(
    ("write", "options", "read"),
    [
        (write_plain, ["--prompt", PROMPT, "--system", SYSTEM, "-m", MODEL], of_flat),
        (write_csv, ["--prompt", PROMPT, "--system", SYSTEM, "-m", MODEL], of_flat),
        (write_openai, ["--model-for", f"gpt-4o={MODEL}"], of_openai),
    ],
)
async def test_every_row_of_a_real_file_is_answered_once(
    tmp_path: Path,
    write: Callable[[Path], Path],
    options: Sequence[str],
    read: Callable[[dict[str, Any]], tuple[int, str]],
) -> None:
    """The same text in each format: the one that the server gives to this question."""
    output = tmp_path / "out.jsonl"
    async with open_simulator_processes(3, CONFIG) as servers:
        command = [sys.executable, "-m", "triollama_adapters.cli", "batch", str(write(tmp_path))]
        command += [part for each in servers for part in ("--endpoint", each.url)]
        with trio.fail_after(END_WITHIN_S):
            done = await trio.run_process(
                [*command, "-o", str(output), *options],
                check=False,
                stdout=subprocess.DEVNULL,
                capture_stderr=True,
            )
    assert done.returncode == 0, done.stderr.decode()
    found = dict(map(read, map(json.loads, lines_of(output))))
    assert len(lines_of(output)) == len(rows()) == 1_319
    assert [found[number] for number in range(len(rows()))] == answers()
    assert lines_of(Paths(output).errors) == []


def lines_of(path: Path) -> list[bytes]:
    """The lines of a file, each of them whole."""
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return lines
