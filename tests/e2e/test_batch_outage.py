"""The only server of a job is killed, and started again on the same port: no row fails."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
import trio

from triollama_adapters.cli._failures import EXIT_ABORTED
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.process import open_simulator_processes

MODEL = "llama3.2"
ROWS = 400
AWAY_S = 10.0
CONFIG = fast_config(
    num_parallel=8,
    load_s=0.0,
    decode_tokens_per_s=200.0,
    answer_tokens_min=30,
    answer_tokens_max=40,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]


async def _begin(folder: Path, url: str, *more: str) -> trio.Process:
    """Begin a job that would take some ten seconds; each row has one try."""
    lines = [msgspec.json.encode({"question": f"Question {number}?"}) for number in range(ROWS)]
    (folder / "in.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    command = [sys.executable, "-m", "triollama_adapters.cli", "batch", str(folder / "in.jsonl")]
    command += ["-o", str(folder / "out.jsonl"), "-m", MODEL, "--endpoint", url, "--tries", "1"]
    with (folder / "told.txt").open("wb") as told:
        return await trio.lowlevel.open_process(
            [*command, *more], stdout=subprocess.DEVNULL, stderr=told
        )


async def _wait_answers(folder: Path, process: trio.Process) -> None:
    """Wait until some rows have their answer, and not all."""
    output = folder / "out.jsonl"
    while not output.exists() or output.read_bytes().count(b"\n") < ROWS // 10:
        assert process.poll() is None
        await trio.sleep(0.05)


async def _end(process: trio.Process) -> None:
    if process.returncode is None:
        process.kill()
    with trio.CancelScope(shield=True, deadline=trio.current_time() + 5.0):
        await process.wait()


async def test_a_server_that_is_away_for_seconds_costs_no_row(tmp_path: Path) -> None:
    """Rows wait for it, and every one is answered in the end."""
    async with open_simulator_processes(1, CONFIG) as (server,):
        process = await _begin(tmp_path, server.url)
        try:
            await _wait_answers(tmp_path, process)
        except BaseException:
            await _end(process)
            raise
    try:  # the server is gone
        await trio.sleep(AWAY_S)
        assert process.poll() is None
        port = urlsplit(server.url).port
        assert port is not None
        async with open_simulator_processes(1, CONFIG, port=port):
            with trio.fail_after(60.0):
                assert await process.wait() == 0
    finally:
        await _end(process)
    records = [
        msgspec.json.decode(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()
    ]
    assert sorted(record["index"] for record in records) == list(range(ROWS))
    assert (tmp_path / "out.errors.jsonl").read_bytes() == b""


async def test_a_server_that_stays_away_ends_the_job(tmp_path: Path) -> None:
    """With a reason, and with no row marked: a resume asks all the others."""
    async with open_simulator_processes(1, CONFIG) as (server,):
        process = await _begin(tmp_path, server.url, "--give-up-after", "3s")
        try:
            await _wait_answers(tmp_path, process)
        except BaseException:
            await _end(process)
            raise
    try:
        with trio.fail_after(60.0):
            assert await process.wait() == EXIT_ABORTED
    finally:
        await _end(process)
    assert b"no server has answered" in (tmp_path / "told.txt").read_bytes()
    assert (tmp_path / "out.errors.jsonl").read_bytes() == b""
    answered = (tmp_path / "out.jsonl").read_bytes().count(b"\n")
    assert ROWS // 10 <= answered < ROWS
    arguments = ["resume", str(tmp_path / "out.jsonl"), "--simulate", "1"]
    command = [sys.executable, "-m", "triollama_adapters.cli", "batch", *arguments]
    with trio.fail_after(60.0):
        await trio.run_process(command, capture_stdout=True, capture_stderr=True)
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == ROWS
