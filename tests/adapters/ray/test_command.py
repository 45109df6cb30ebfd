"""``triollama batch --ray local``: stopped, it leaves no process behind, and it can be resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
from tests.adapters.ray.clusters import MODEL, contents, write_questions

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.ledger.state import read_state
from triollama_adapters.cli._batch_ray import OFF, ray_fleet_of
from triollama_adapters.cli._failures import EXIT_UNREACHABLE, CliError

ROWS = 1_500
LEFT_S = 20.0
"""How long processes may take to be gone."""

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[trio.Process]:
    """The command, in a session of its own, of which nothing is left when the block ends."""
    command = [sys.executable, "-m", "triollama_adapters.cli", "batch", *arguments]
    process = await trio.lowlevel.open_process(
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LEFT_S):
            while left := members(process.pid):  # Ray's workers have groups of their own
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await trio.sleep(0.1)
            await process.wait()


def members(session: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        state, _, _, its_session, *_ = stat.rpartition(")")[2].split()
        if int(its_session) == session and state != "Z":
            found.append(int(folder.name))
    return found


@pytest.mark.slow
@needs_proc
async def test_stopped_and_resumed(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole process group, as from a terminal; the rest is done without Ray."""
    write_questions(tmp_path / "in.jsonl", ROWS)
    output = tmp_path / "out.jsonl"
    arguments = ["--simulate", "2", "-m", MODEL, "--ray", "local", "--concurrency", "20"]
    async with started(str(tmp_path / "in.jsonl"), "-o", str(output), *arguments) as process:
        with trio.fail_after(60):
            while not output.exists() or (await read_state(output)).done < 100:
                assert process.returncode is None
                await trio.sleep(0.1)
        assert len(members(process.pid)) > 5
        os.killpg(process.pid, signal.SIGINT)
        with trio.fail_after(60):
            assert await process.wait() == 130
        with trio.move_on_after(LEFT_S):
            while members(process.pid):
                await trio.sleep(0.1)
        assert members(process.pid) == []
    assert 100 <= (await read_state(output)).done < ROWS
    async with started("resume", str(output), "--ray", OFF, "--concurrency", "400") as resumed:
        with trio.fail_after(60):
            assert await resumed.wait() == 0
    assert sorted(contents(output)) == list(range(ROWS))


@pytest.mark.slow
@needs_proc
async def test_servers_that_nobody_reaches(tmp_path: Path) -> None:
    """The exit code is the one without Ray, and no process or file is left."""
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_questions(source, 3)
    arguments = ["-m", MODEL, "--endpoint", "http://127.0.0.1:9", "--ray", "local"]
    async with started(str(source), "-o", str(output), *arguments) as process:
        with trio.fail_after(60):
            assert await process.wait() == EXIT_UNREACHABLE
        with trio.move_on_after(LEFT_S):
            while members(process.pid):
                await trio.sleep(0.1)
        assert members(process.pid) == []
    assert os.listdir(tmp_path) == ["in.jsonl"]  # noqa: PTH208 - of a few names


def test_what_the_options_say() -> None:
    """A cluster, its servers by machine; nothing without --ray."""
    assert ray_fleet_of(None, ["http://a"], (), None) is None
    assert ray_fleet_of(OFF, (), ["x=http://b"], 2) is None
    fleet = ray_fleet_of("auto", ["http://a"], ["x=http://b", "y=http://c", "x=http://d"], 3)
    assert fleet is not None
    assert (fleet.address, fleet.endpoints, fleet.workers) == ("auto", ("http://a",), 3)
    assert fleet.pins == {"x": ("http://b", "http://d"), "y": ("http://c",)}


@pytest.mark.parametrize(("pins", "workers"), [(["x=http://b"], None), ([], 2)])
def test_options_without_ray(pins: list[str], workers: int | None) -> None:
    """They are not passed over in silence."""
    with pytest.raises(CliError, match="--ray ADDRESS"):
        ray_fleet_of(None, (), pins, workers)


def test_a_pin_that_is_none() -> None:
    """Is told before anything is begun."""
    with pytest.raises(ChoiceError, match="NODE=URL"):
        ray_fleet_of("auto", (), ["http://b"], None)
