"""What does Ray add to a batch? CPU of two workers and their driver, and how soon they begin."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from benchmarks.clients.rows import open_folder, write_prompts
from benchmarks.figures import Bar
from benchmarks.loads import open_load_server
from benchmarks.plan import MODEL, Plan
from benchmarks.processes import lanes
from benchmarks.trial import Finding, Trial, TrialRow
from triollama import EndpointConfig, open_engine
from triollama_adapters.batch.batch import open_batch
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.ray.batch import run_batch_on_ray
from triollama_adapters.ray.crew import Crew
from triollama_adapters.ray.fleet import RayFleet

PLAN = Plan(in_flight=200, tokens=8)

WORKERS = 2

STARTED, ROWS = 2_000, 10_000
"""Rows before those that are measured: while the first come, slots are learnt and code is warm."""

ROUNDS = 2
"""Of each, one after the other; the median counts."""

STORE_BYTES = 80 << 20

IN_FLIGHT_MAX = 20_000
"""The server works on all that it gets, and says so: no row measures how that is found out."""

_WHAT = f"a batch of 8-token answers, {WORKERS} workers on Ray"

TRIAL = Trial(
    name="batch_ray",
    rows=(
        TrialRow(
            "batch-ray-cpu",
            f"{_WHAT}: CPU of all their processes and the driver's, against one process",
            "cpu",
            "times",
            Bar(1.15),
            (
                ("one process", "µs CPU per row"),
                ("driver", "µs CPU per row"),
                ("workers", "µs CPU per row"),
                ("Ray's own", "µs CPU per row"),
                ("rows", "rows/s"),
                ("rows of one process", "rows/s"),
            ),
        ),
        TrialRow(
            "batch-ray-start",
            f"{_WHAT}: from the call to the first answer kept, on a cluster that runs",
            "start",
            "s",
            Bar(3.0),
        ),
    ),
    repetitions_max=1,
    deadline_s=180.0,
    run_s=45.0,
    is_alone=False,
)


@attrs.frozen
class Used:
    """What a stretch of a batch took.

    Attributes:
        seconds: Of time.
        cpu_s: Of CPU, by who used it.
    """

    seconds: float
    cpu_s: dict[str, float]

    def each_us(self, name: str) -> float:
        """CPU per row, in µs."""
        return 1e6 * self.cpu_s.get(name, 0.0) / ROWS


def run(_seed: int) -> Finding:
    """Measure one process, then two workers."""
    with open_load_server(PLAN, lanes()[0].server) as load, open_folder() as folder:
        write_prompts(folder / "prompts.jsonl", STARTED + ROWS)
        url = load.plan.url
        alone: list[Used] = []
        found: list[tuple[Used, float]] = []
        with _cluster() as address:
            gc.freeze()  # as the command does, here for both
            for _ in range(ROUNDS):
                alone.append(trio.run(_run_alone, folder, url))
                found.append(trio.run(_run_on_ray, folder, url, address))
    spread = [used for used, _ in found]
    one = _median([used.each_us("driver") for used in alone])
    driver = _median([used.each_us("driver") for used in spread])
    workers = _median([used.each_us("workers") for used in spread])
    figures = {
        "cpu": (driver + workers) / one,
        "one process": one,
        "driver": driver,
        "workers": workers,
        "Ray's own": _median([used.each_us("ray") for used in spread]),
        "rows": ROWS / _median([used.seconds for used in spread]),
        "rows of one process": ROWS / _median([used.seconds for used in alone]),
        "start": _median([start_s for _, start_s in found]),
    }
    return Finding(figures)


async def _run_alone(folder: Path, url: str) -> Used:
    with _output(folder) as sink:
        endpoint = _endpoint(url)
        limits = Limits(concurrency=PLAN.in_flight)
        async with (
            open_engine(endpoint) as engine,
            open_batch(engine, folder / "prompts.jsonl", sink, model=MODEL, limits=limits) as batch,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(batch.run)
            return await _watch(lambda: batch.progress.answered, list)


async def _run_on_ray(folder: Path, url: str, address: str) -> tuple[Used, float]:
    """What it took, and how long until the first answer was kept."""
    began_s = time.perf_counter()
    watched: list[tuple[Job, Crew]] = []
    fleet = RayFleet(address=address, endpoints=[_endpoint(url)], workers=WORKERS)
    with _output(folder) as sink:
        async with trio.open_nursery() as nursery:

            async def work() -> None:
                await run_batch_on_ray(
                    Recipe(input=str(folder / "prompts.jsonl"), model=MODEL),
                    sink,
                    fleet,
                    limits=Limits(concurrency=PLAN.in_flight),
                    watch=lambda job, crew: watched.append((job, crew)),
                )

            def answered() -> int:
                return watched[0][0].progress.answered if watched else 0

            def pids() -> list[int]:
                return [each.pid for each in watched[0][1].statistics()]

            nursery.start_soon(work)
            while not answered():  # noqa: ASYNC110 - it has no event
                await trio.sleep(0.005)
            start_s = time.perf_counter() - began_s
            return await _watch(answered, pids), start_s


async def _watch(answered: Callable[[], int], workers: Callable[[], list[int]]) -> Used:
    """Wait for the warm rows, then measure to the end."""
    while answered() < STARTED:  # noqa: ASYNC110 - it has no event
        await trio.sleep(0.005)
    begin, begin_s, first = _cpu(workers()), time.perf_counter(), answered()
    while answered() < STARTED + ROWS - 500:  # noqa: ASYNC110 - the last rows end with the workers
        await trio.sleep(0.005)
    end, seconds = _cpu(workers()), time.perf_counter() - begin_s
    share = ROWS / (answered() - first)
    return Used(seconds * share, {name: share * (end[name] - begin[name]) for name in end})


def _cpu(workers: list[int]) -> dict[str, float]:
    """CPU so far, by who used it."""
    own = time.process_time()
    rays = [pid for pid in _descendants() if pid not in workers]
    return {
        "driver": own,
        "workers": sum(map(_cpu_of, workers)),
        "ray": sum(map(_cpu_of, rays)),
    }


def _cpu_of(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _descendants() -> list[int]:
    """Ray's processes, which all end with this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        name = _name(int(folder.name))
        if name in {"raylet", "gcs_server"} or name.startswith("ray::"):
            found.append(int(folder.name))
    return found


def _name(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    """What the system tells of a process, from its state on."""
    try:
        text = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


@contextmanager
def _output(folder: Path) -> Iterator[Path]:
    """A place for an output that is not there yet."""
    sink = folder / f"out-{time.monotonic_ns()}.jsonl"
    yield sink


@contextmanager
def _cluster() -> Iterator[str]:
    """A cluster of one machine; its address."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra, and half a second

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {
        "num_cpus": WORKERS,
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
    }
    cluster = Cluster(initialize_head=True, head_node_args=options)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def _endpoint(url: str) -> EndpointConfig:
    return EndpointConfig(url, max_in_flight=IN_FLIGHT_MAX, num_parallel=IN_FLIGHT_MAX)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
