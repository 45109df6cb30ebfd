"""A job whose process is killed at random moments, and its servers at others: each row once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import msgspec
import pytest
import trio
from tests.e2e.fleet import Fleet, open_fleet_of_processes

from triollama_adapters.batch.errors import BatchError
from triollama_adapters.batch.ledger.ledger import read_state
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.answer import unbroken_answer

MODEL = "llama3.2"
CONFIG = fast_config(load_s=0.0, decode_tokens_per_s=150.0, answer_tokens_max=40)
CONCURRENCY = 8
ROWS_PER_S = 50
"""Rather more than `CONCURRENCY` rows at a time come to."""
START_S = 0.8
"""About how long a process takes to its first request; it is killed in that time as well."""

LEFT_SHARE = 0.05
"""Of the rows, for the last run, which nobody kills."""
END_WITHIN_S = 120.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]


def write_input(path: Path, rows: int) -> dict[int, str]:
    """Write so many questions; the text of each one's answer."""
    questions = [f"Question {number}: what becomes of it?" for number in range(rows)]
    lines = [msgspec.json.encode({"question": each}) for each in questions]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return {number: whole(question) for number, question in enumerate(questions)}


def whole(question: str) -> str:
    """What a server answers that nobody disturbs."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": False}
    answer = unbroken_answer(CONFIG, "/api/chat", msgspec.json.encode(body))
    text: str = answer["message"]["content"]
    return text


async def run(arguments: Sequence[str], kill_after_s: float = END_WITHIN_S) -> int:
    """Run the command; kill it after a while. Its exit code."""
    command = [sys.executable, "-m", "triollama_adapters.cli", "batch", *arguments]
    process = await trio.lowlevel.open_process(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = bytearray()
    try:
        with trio.move_on_after(kill_after_s):
            async for part in process.stderr:
                said += part
            await process.wait()
        if process.returncode is None:
            process.kill()
        ended = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
    assert ended in {0, -signal.SIGKILL}, said.decode()
    return ended


@attrs.define
class Killed:
    """One job, and how often it was killed.

    Attributes:
        fleet: its servers.
        output: where its answers are.
        begin: the arguments that begin it.
        draw: says when.
        kills: of the process, so far.
        server_kills: of servers, so far.
        done: rows that were acknowledged when it was killed last.
    """

    fleet: Fleet
    output: Path
    begin: Sequence[str]
    draw: random.Random
    kills: int = 0
    server_kills: int = 0
    done: int = 0

    async def run(self, rows: int, kills: int) -> None:
        """Kill and resume so often, unless it is done before; then let it end."""
        while self.kills < kills:
            share = (rows * (1 - LEFT_SHARE) - self.done) / (kills - self.kills)
            rows_max = max(0.0, min(2 * share, (rows - self.done) / 2))
            ended = await run(self.next(), self.draw.uniform(0, START_S + rows_max / ROWS_PER_S))
            await self.check()
            if ended == 0:
                return
            self.kills += 1
        assert await run(self.next()) == 0

    def next(self) -> Sequence[str]:
        """What a user would do now."""
        paths = Paths(self.output)
        is_begun = paths.journal.exists() or paths.ready_journal.exists()
        limits = ("--concurrency", str(CONCURRENCY))
        return ("resume", str(self.output), *limits) if is_begun else (*self.begin, *limits)

    async def check(self) -> None:
        """What was acknowledged once stays so."""
        try:
            state = await read_state(self.output)
        except BatchError:
            assert not self.done
            return
        assert state.done >= self.done
        assert state.failed == 0
        self.done = state.done

    async def kill_servers(self) -> None:
        """One after the other, at random; each comes back where it was."""
        while True:
            await trio.sleep(self.draw.uniform(0.2, 3.0))
            url = self.draw.choice(self.fleet.urls)
            await self.fleet.kill(url)
            self.server_kills += 1
            await trio.sleep(self.draw.uniform(0.0, 1.0))
            await self.fleet.restart(url)


def answers_of(output: Path) -> dict[int, dict[str, object]]:
    """Each row's answer, but for how it came about; each row is there once."""
    *lines, rest = output.read_bytes().split(b"\n")
    assert rest == b""
    records = [msgspec.json.decode(line) for line in lines]
    own = ("index", "question", "content", "done_reason")
    answers = {record["index"]: {name: record[name] for name in own} for record in records}
    assert len(answers) == len(records)
    return answers


def asked_of(fleet: Fleet, source: Path) -> list[str]:
    """The arguments that say what is asked of whom."""
    endpoints = [part for url in fleet.urls for part in ("--endpoint", url)]
    return [str(source), "-m", MODEL, *endpoints]


async def kill_and_resume(folder: Path, rows: int, kills: int, seed: int, *options: str) -> Killed:
    """A job of so many rows, its process killed so often, and its servers all the while."""
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    expected = write_input(source, rows)
    async with open_fleet_of_processes(3, CONFIG) as fleet:
        begin = [*asked_of(fleet, source), "-o", str(output), *options]
        killed = Killed(fleet, output, begin, random.Random(seed))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(killed.kill_servers)
            await killed.run(rows, kills)
            nursery.cancel_scope.cancel()
    undisturbed = folder / "undisturbed.jsonl"
    async with open_fleet_of_processes(3, CONFIG) as fleet:
        assert await run([*asked_of(fleet, source), "-o", str(undisturbed)]) == 0
    answers = answers_of(output)
    assert answers == answers_of(undisturbed)
    assert {number: answer["content"] for number, answer in answers.items()} == expected
    assert not Paths(output).errors.stat().st_size
    names = os.listdir(folder)  # noqa: PTH208 - names only
    assert not [name for name in names if ".broken-" in name or ".cut-" in name]
    return killed


async def test_killed_and_resumed(tmp_path: Path) -> None:
    """What was answered is never asked again, and nothing is missing or there twice."""
    killed = await kill_and_resume(tmp_path, rows=200, kills=6, seed=1)
    assert killed.kills >= 4
    assert killed.server_kills


async def test_killed_and_resumed_in_order(tmp_path: Path) -> None:
    """The order of the input holds over all runs: each goes on behind the one before."""
    killed = await kill_and_resume(tmp_path, 120, 3, 2, "--in-order")
    assert killed.kills >= 2
    assert list(answers_of(killed.output)) == list(range(120))


@pytest.mark.nightly
async def test_killed_and_resumed_often(tmp_path: Path) -> None:
    """The same, 200 times over one job of 2,000 rows, at other moments each night."""
    seed = time.time_ns() % 1_000_000
    sys.stderr.write(f"seed {seed}\n")
    killed = await kill_and_resume(tmp_path, rows=2_000, kills=200, seed=seed)
    sys.stderr.write(f"{killed.kills} kills, {killed.server_kills} of servers\n")
    assert killed.kills == 200
    assert killed.server_kills >= 20
