"""A job whose process is killed at random moments, and resumed each time: each row once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import trio

from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.answer import unbroken_answer
from triollama_adapters.simulator.process import SimulatorProcess, open_simulator_processes

MODEL = "llama3.2"
CONFIG = fast_config(load_s=0.0, decode_tokens_per_s=200.0, answer_tokens_max=40)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]


def _write_input(path: Path, rows: int) -> dict[int, str]:
    """Write so many questions; the text of each one's answer."""
    questions = [f"Question {number}: what becomes of it?" for number in range(rows)]
    lines = [msgspec.json.encode({"question": each}) for each in questions]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return {number: _whole(question) for number, question in enumerate(questions)}


def _whole(question: str) -> str:
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": False}
    text: str = unbroken_answer(CONFIG, "/api/chat", msgspec.json.encode(body))["message"][
        "content"
    ]
    return text


async def _run(arguments: list[str], kill_after_s: float | None = None) -> int:
    """Run the command; kill it after a while. Its exit code."""
    command = [sys.executable, "-m", "triollama_adapters.cli", "batch", *arguments]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with trio.move_on_after(kill_after_s if kill_after_s is not None else 60):
            return await process.wait()
        process.kill()
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _run_killed_and_resumed(
    folder: Path, servers: list[SimulatorProcess], rows: int, kills: int, draw: random.Random
) -> None:
    expected = _write_input(folder / "in.jsonl", rows)
    output = folder / "out.jsonl"
    fleet = [part for server in servers for part in ("--endpoint", server.url)]
    limits = ["--concurrency", "24"]
    begin = [str(folder / "in.jsonl"), "-o", str(output), "-m", MODEL, *fleet, *limits]
    ended = await _run(begin, 0.7 + draw.random())
    killed = 0
    while ended:
        killed += ended == -signal.SIGKILL
        journal = output.with_name(output.name + ".journal")
        arguments = ["resume", str(output), *limits] if journal.exists() else begin
        ended = await _run(arguments, 0.5 + 1.2 * draw.random() if killed < kills else None)
        assert ended in {0, -signal.SIGKILL}
    assert killed
    records = [msgspec.json.decode(line) for line in output.read_bytes().splitlines()]
    assert len(records) == rows
    assert {record["index"]: record["content"] for record in records} == expected
    assert output.with_suffix(".errors.jsonl").read_bytes() == b""


async def test_killed_and_resumed(tmp_path: Path) -> None:
    """What was answered is never asked again, and nothing is missing or there twice."""
    async with open_simulator_processes(3, CONFIG) as servers:
        await _run_killed_and_resumed(tmp_path, servers, 300, 5, random.Random(1))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(5))
async def test_killed_and_resumed_often(tmp_path: Path, seed: int) -> None:
    """The same, 200 times over jobs of 2,000 rows."""
    async with open_simulator_processes(3, CONFIG) as servers:
        await _run_killed_and_resumed(tmp_path, servers, 2_000, 40, random.Random(seed))
