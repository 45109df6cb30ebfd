"""A load over Ray: workers on a cluster of this machine, with clocks of their own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from triollama_adapters.loadtest.arrivals import times
from triollama_adapters.loadtest.plan import OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.running import ray_links, ray_machines
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.running.ray_links import RayLink
from triollama_adapters.loadtest.running.ray_machines import run_load_on_ray
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.ray.errors import RayWorkersError
from triollama_adapters.ray.fleet import RayFleet
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.process import open_simulators

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]

LENGTH_S = 4.0
SHAPE = OpenLoop((Phase(LENGTH_S, 40.0, 40.0),))


class Sink:
    """Keeps samples."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """Keep one."""
        self.samples.append(sample)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A simulated server."""
    async with open_simulators(1, fast_config(load_s=0.0)) as started:
        yield started[0]


def plan_of(url: str) -> Plan:
    """A short plan with short answers."""
    scenario = Scenario("s", "llama3.2", prompts=Prompts("fixed", "Hello"), answers=Answers(4))
    return Plan(Target((url,)), Workload((scenario,)), SHAPE, LENGTH_S, drain_s=10.0, seed=11)


async def test_whole_schedule(url: str) -> None:
    """The workers together offer the very schedule of one process; each sample comes once."""
    sink, seen = Sink(), list[Progress]()
    fleet = RayFleet(address="local", workers=2)
    with trio.fail_after(100):
        result = await run_load_on_ray(plan_of(url), fleet, sink=sink, on_progress=seen.append)
    schedule = list(times(SHAPE, 11))
    assert sorted(each.scheduled_ns for each in sink.samples) == schedule
    assert {each.process for each in sink.samples} == {0, 1}
    assert all(each.sent_ns >= each.scheduled_ns for each in sink.samples)
    assert result.counts.ok == len(schedule)
    assert result.plan.processes == 2
    assert seen[-1].sent == len(schedule)
    (clocks,) = [each.text for each in result.events if each.kind == "clocks"]
    assert clocks.startswith("2 workers begin within 0.0")


async def test_death_of_a_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is lost makes the result INVALID, and what the other one did is kept."""
    pids: list[int] = []
    ask = RayLink.machine

    async def machine(link: RayLink, ray: Any) -> Any:
        hello = await link._call(link._actor.hello.remote(), 60.0)
        pids.append(hello.pid)
        return await ask(link, ray)

    def on_progress(progress: Progress) -> None:
        if progress.ok >= 20 and pids:
            os.kill(pids[-1], signal.SIGKILL)
            pids.clear()

    monkeypatch.setattr(RayLink, "machine", machine)

    with trio.fail_after(100):
        result = await run_load_on_ray(
            plan_of(url), RayFleet(address="local", workers=2), on_progress=on_progress
        )
    assert result.client.validity == "INVALID"
    assert result.client.reasons[0] == "process 2 of 2 is lost: its process died"
    assert 0 < result.counts.ok < len(list(times(SHAPE, 11)))


async def test_no_room(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster without room for the workers says how much it has."""
    monkeypatch.setattr(ray_links, "PLACE_S", 8.0)
    monkeypatch.setattr(ray_machines, "LOCAL_WORKERS", 3)  # Ray is started with room for two
    told = r"^process [1-3] of 3 is lost: .* the cluster has 0 CPUs free, and each worker needs 1$"
    with trio.fail_after(100), pytest.raises(RayWorkersError, match=told):
        await run_load_on_ray(plan_of(url), RayFleet(address="local"))


class FakeCall:
    """A call of Ray's, which answers with another machine's clock."""

    def __init__(self, ahead_ns: int) -> None:
        self._ahead_ns = ahead_ns

    def remote(self) -> int:
        """Its time, now."""
        return time.perf_counter_ns() + self._ahead_ns


async def test_clock_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far a clock is ahead is found within the bound that is told."""

    async def result_of(reference: int, *, within_s: float) -> int:
        await trio.sleep(0.002)
        return reference

    monkeypatch.setattr(ray_links, "result_of", result_of)
    ahead_ns = 5_000_000_000_000

    class Actor:
        clock_ns = FakeCall(ahead_ns)

    link = RayLink(Actor())
    await link.compare_clocks()
    assert abs(link.offset_ns - ahead_ns) <= link.error_ns
    assert link.on_its_clock(7) == 7 + link.offset_ns
