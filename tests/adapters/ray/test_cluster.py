"""Batches on a real cluster of two nodes: each row once, whatever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from tests.adapters.ray.clusters import CONFIG, MODEL, contents, two_nodes, write_questions

from triollama_adapters.batch.errors import FirstFailureError
from triollama_adapters.batch.ledger.ledger import BatchState
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.ray import keeper
from triollama_adapters.ray.batch import run_batch_on_ray
from triollama_adapters.ray.crew import Crew
from triollama_adapters.ray.errors import RayServersError
from triollama_adapters.ray.fleet import RayFleet
from triollama_adapters.ray.worker import Worker
from triollama_adapters.simulator.process import open_simulators

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]

POISON = b"Question 77:"


class DyingWorker(Worker):
    """One that dies of a certain row, as if a library crashed."""

    def give(self, rows: bytes) -> None:
        """As `Worker.give`."""
        if POISON in rows:
            os._exit(11)
        super().give(rows)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes."""
    with two_nodes() as made:
        yield made


@pytest.fixture
async def urls() -> AsyncIterator[list[str]]:
    """Three simulated servers."""
    async with open_simulators(3, CONFIG) as started:
        yield started


@attrs.define
class Watched:
    """A job that is looked at."""

    job: Job | None = None
    crew: Crew | None = None
    told: list[str] = attrs.field(factory=list)

    def take(self, job: Job, crew: Crew) -> None:
        """Note them."""
        self.job, self.crew = job, crew

    async def wait_answered(self, count: int) -> None:
        """Wait until so many rows are answered."""
        while self.job is None or self.job.progress.answered < count:
            await trio.sleep(0.02)


async def run(folder: Path, fleet: RayFleet, watched: Watched) -> BatchState:
    """Run the folder's job."""
    with trio.fail_after(60):
        return await run_batch_on_ray(
            Recipe(input=str(folder / "in.jsonl"), model=MODEL),
            folder / "out.jsonl",
            fleet,
            limits=Limits(concurrency=24),
            tell=watched.told.append,
            watch=watched.take,
        )


async def test_a_row_kills_workers(
    tmp_path: Path, cluster: Any, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set aside in the end; all others are answered, by the workers that are left."""
    monkeypatch.setattr(keeper, "Worker", DyingWorker)
    expected = write_questions(tmp_path / "in.jsonl", 120)
    state = await run(
        tmp_path, RayFleet(address=cluster.address, endpoints=urls, workers=2), Watched()
    )
    assert (state.done, state.failed) == (119, 1)
    del expected[77]
    assert contents(tmp_path / "out.jsonl") == expected
    error = msgspec.json.decode((tmp_path / "out.errors.jsonl").read_bytes())
    assert (error["index"], error["error"]["type"]) == (77, "RowKillsWorkersError")


async def test_each_machine_has_its_servers(tmp_path: Path, cluster: Any, urls: list[str]) -> None:
    """Those that are pinned to it; and a job that was stopped goes on where it was."""
    expected = write_questions(tmp_path / "in.jsonl", 200)
    fleet = RayFleet(
        address=cluster.address, endpoints=urls[:1], pins={"second": urls[1:2]}, workers=2
    )
    watched = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, tmp_path, fleet, watched)
        await watched.wait_answered(50)
        assert watched.crew is not None
        await watched.crew.wait_ready()
        machines = [each.machine for each in watched.crew.statistics()]
        assert len(machines) == 2
        assert "second" in machines
        assert watched.job is not None
        watched.job.stop()
    assert 50 <= len(contents(tmp_path / "out.jsonl")) < 200
    state = await run(tmp_path, fleet, Watched())
    assert (state.done, state.failed, state.input_rows) == (200, 0, 200)
    assert contents(tmp_path / "out.jsonl") == expected
    records = map(msgspec.json.decode, (tmp_path / "out.jsonl").read_bytes().splitlines())
    assert {f"http://{record['endpoint']}" for record in records} == set(urls[:2])


async def test_no_server_is_there(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That ends the job, which says so."""
    monkeypatch.setattr(keeper, "IDLE_LIVES_MAX", 1)
    write_questions(tmp_path / "in.jsonl", 3)
    fleet = RayFleet(address=cluster.address, endpoints=["http://127.0.0.1:9"], workers=1)
    with pytest.raises(RayServersError, match=r"reaches no endpoint.*127\.0\.0\.1:9"):
        await run(tmp_path, fleet, Watched())
    assert os.listdir(tmp_path) == ["in.jsonl"]  # noqa: PTH208 - of a few names


async def test_a_row_fails_and_ends_it(tmp_path: Path, cluster: Any, urls: list[str]) -> None:
    """The error is the one that a batch without Ray would raise, in no group."""
    (tmp_path / "in.jsonl").write_text('{"prompt": "a"}\nnot json\n')
    fleet = RayFleet(address=cluster.address, endpoints=urls, workers=1)
    recipe = Recipe(input=str(tmp_path / "in.jsonl"), model=MODEL)
    limits = Limits(is_fail_fast=True)
    with trio.fail_after(60), pytest.raises(FirstFailureError):
        await run_batch_on_ray(recipe, tmp_path / "out.jsonl", fleet, limits=limits)


async def test_a_machine_dies_half_way(tmp_path: Path, cluster: Any, urls: list[str]) -> None:
    """Its rows are asked by the other one: each is there once, as it would be undisturbed."""
    expected = write_questions(tmp_path / "in.jsonl", 300)
    fleet = RayFleet(address=cluster.address, endpoints=urls, workers=2)
    watched = Watched()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, tmp_path, fleet, watched)
        await watched.wait_answered(100)
        [second] = cluster.worker_nodes
        await trio.to_thread.run_sync(lambda: cluster.remove_node(second, allow_graceful=False))
    assert contents(tmp_path / "out.jsonl") == expected
    assert (tmp_path / "out.errors.jsonl").read_bytes() == b""
    assert any("a worker on second is lost" in line for line in watched.told)
