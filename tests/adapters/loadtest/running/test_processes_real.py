"""Real runs against a simulated server: the same arrivals at any number of processes."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from triollama_adapters.loadtest.arrivals import look_at, times
from triollama_adapters.loadtest.errors import TargetError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.process import open_simulators

pytestmark = pytest.mark.slow

LENGTH_S = 4.0
RATE_PER_S = 60.0
WINDOW_S = 0.1
"""Shorter than the second of metrics.md, so that a short run has windows enough."""


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


def plan_of(url: str, shape: OpenLoop | ClosedLoop, processes: int) -> Plan:
    """A short plan with short answers."""
    scenario = Scenario("s", "llama3.2", prompts=Prompts("fixed", "Hello"), answers=Answers(4))
    return Plan(
        Target((url,)),
        Workload((scenario,)),
        shape,
        duration_s=LENGTH_S,
        drain_s=10.0,
        seed=11,
        processes=processes,
    )


@pytest.mark.parametrize("processes", [1, 2, 8])
@pytest.mark.parametrize("arrivals", ["poisson", "constant"])
async def test_dispersion(url: str, processes: int, arrivals: str) -> None:
    """All processes together offer the very schedule of one, and none begins early.

    One that seeds its workers alike shows a dispersion that grows with their number.
    """
    phases = (Phase(LENGTH_S, RATE_PER_S, RATE_PER_S),)
    shape = OpenLoop(phases, "poisson" if arrivals == "poisson" else "constant")
    sink = Sink()
    result = await run_load(plan_of(url, shape, processes), sink=sink)
    schedule = list(times(shape, 11))
    assert sorted(each.scheduled_ns for each in sink.samples) == schedule
    assert sorted(each.session for each in sink.samples) == list(range(len(schedule)))
    assert {each.process for each in sink.samples} == set(range(processes))
    assert all(each.sent_ns >= each.scheduled_ns for each in sink.samples)
    assert result.counts.scheduled == result.counts.ok == len(schedule)
    offered = look_at(schedule, LENGTH_S, window_s=WINDOW_S)
    sent = look_at(sorted(each.sent_ns for each in sink.samples), LENGTH_S, window_s=WINDOW_S)
    assert offered.dispersion is not None
    assert sent.dispersion is not None
    if arrivals == "poisson":
        assert offered.dispersion == pytest.approx(1.0, abs=0.5)  # 40 windows: twice sigma is 0.45
    else:
        assert offered.variation == pytest.approx(0.0, abs=1e-6)
    assert sent.dispersion == pytest.approx(offered.dispersion, abs=0.5)


@pytest.mark.parametrize("processes", [1, 3])
async def test_closed_loop(url: str, processes: int) -> None:
    """So many users are at work, however many processes they are spread over."""
    in_flight: list[int] = []

    def on_progress(progress: Progress) -> None:
        if progress.stage == "measuring":
            in_flight.append(sum(progress.in_flight.values()))

    sink = Sink()
    plan = plan_of(url, ClosedLoop(7), processes)
    result = await run_load(plan, sink=sink, on_progress=on_progress)
    assert max(in_flight) == 7
    assert result.counts.ok > 50
    sessions = [each.session for each in sink.samples]
    assert len(set(sessions)) == len(sessions)
    assert {each.process for each in sink.samples} == set(range(processes))


async def test_stopped(url: str) -> None:
    """A stop in the middle gives what there was so far, from all processes."""
    stop = trio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.ok >= 20:
            stop.set()

    plan = plan_of(url, OpenLoop((Phase(600.0, RATE_PER_S, RATE_PER_S),)), 2)
    with trio.fail_after(60):
        result = await run_load(plan, stop=stop, on_progress=on_progress)
    assert result.is_stopped
    assert result.counts.ok >= 20
    assert result.client.reasons == () or "process" not in " ".join(result.client.reasons)


@pytest.mark.skipif(
    not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="needs /proc"
)
async def test_death_of_a_worker(url: str) -> None:
    """The result of a run that lost a worker is INVALID, says why, and has the others' part."""
    before, killed = set(children()), list[int]()

    def on_progress(progress: Progress) -> None:
        if progress.ok >= 40 and not killed:
            killed.append(max(set(children()) - before))
            os.kill(killed[0], signal.SIGKILL)

    plan = plan_of(url, OpenLoop((Phase(LENGTH_S, RATE_PER_S, RATE_PER_S),)), 2)
    result = await run_load(plan, on_progress=on_progress)
    assert len(killed) == 1
    assert result.client.validity == "INVALID"
    assert result.client.reasons[0].endswith("of 2 was killed by SIGKILL")
    assert isinstance(plan.shape, OpenLoop)
    whole = len(list(times(plan.shape, plan.seed)))
    assert 0 < result.counts.ok == result.counts.scheduled < whole


def children() -> list[int]:
    """Processes that this one has started."""
    found: list[int] = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


async def test_model_that_is_not_there(url: str) -> None:
    """It is told before any process is started."""
    scenario = Scenario("s", "no-such-model", prompts=Prompts("fixed", "Hello"))
    plan = Plan(Target((url,)), Workload((scenario,)), ClosedLoop(2), 1.0, processes=2)
    with pytest.raises(TargetError, match="no-such-model"):
        await run_load(plan)
