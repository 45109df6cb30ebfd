"""Faults on simulated servers under a real load, through the engine: nobody's answer is lost."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.result import Event, Result
from triollama_adapters.loadtest.running.faults import parse_fault
from triollama_adapters.loadtest.running.strikers import open_simulated_striker
from triollama_adapters.loadtest.running.under_faults import run_under_faults
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.process import SimulatorProcess, open_simulator_processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals"),
]

CONFIG = fast_config(load_s=0.0)


@pytest.fixture
async def servers() -> AsyncIterator[list[SimulatorProcess]]:
    """Two simulated servers."""
    async with open_simulator_processes(2, CONFIG) as started:
        yield started


def plan_of(servers: list[SimulatorProcess], **target: Any) -> Plan:
    """Eight users who read answers of 0.4 s."""
    scenario = Scenario("s", "llama3.2", prompts=Prompts("fixed", "Hello"), answers=Answers(80))
    addresses = tuple(each.url for each in servers)
    return Plan(
        Target(addresses, **{"routing": "engine", "stall_s": 0.5, **target}),
        Workload((scenario,)),
        ClosedLoop(8),
        duration_s=5.0,
        drain_s=10.0,
        seed=5,
    )


def named(events: tuple[Event, ...]) -> list[str]:
    """Kinds of events, in order, but those that the run itself found."""
    return [each.kind for each in events if each.kind not in {"cold", "swap", "reload"}]


def check(result: Result) -> None:
    """Nobody's answer was lost."""
    assert result.counts.ok == result.counts.scheduled - result.counts.censored
    assert not result.counts.errors


async def test_kill_and_restart(servers: list[SimulatorProcess]) -> None:
    """Streams of a killed server go on at the other one, and the one that comes back is used."""
    address = servers[0].url
    fault = parse_fault(f"kill {address} at 1.5s for 1s")
    async with open_simulated_striker(servers, CONFIG) as striker:
        result, (seen,) = await run_under_faults(plan_of(servers), [fault], striker)
    check(result)
    kinds = named(result.events)
    assert kinds == ["kill", "readers", "restart"]
    assert seen.struck >= seen.continued >= 1
    assert seen.continued + seen.unbroken == seen.struck
    assert seen.errors == 0
    (told,) = [each.text for each in result.events if each.kind == "readers"]
    assert f"{seen.continued} went on elsewhere" in told


async def test_stall(servers: list[SimulatorProcess]) -> None:
    """Streams of a server that stands still go on elsewhere, after the stall is noticed."""
    fault = parse_fault(f"stall {servers[0].url} at 1.5s for 2s")
    async with open_simulated_striker(servers, CONFIG) as striker:
        result, (seen,) = await run_under_faults(plan_of(servers), [fault], striker)
    check(result)
    assert named(result.events) == ["stall", "readers", "go_on"]
    assert seen.continued >= 1
    assert seen.added_max_s is not None
    assert seen.added_max_s >= 0.3


async def test_stopped_run_undoes(servers: list[SimulatorProcess]) -> None:
    """A run that is stopped while a server is stalled lets it go on."""
    fault = parse_fault(f"stall {servers[0].url} at 1s for 60s")
    stop = trio.Event()
    async with open_simulated_striker(servers, CONFIG) as striker:
        result, _ = await run_under_faults(
            plan_of(servers),
            [fault],
            striker,
            stop=stop,
            on_progress=lambda progress: stop.set() if progress.at_s > 2.0 else None,
        )
    assert result.is_stopped
    assert named(result.events) == ["stall", "readers", "go_on"]


async def test_fault_after_the_end(servers: list[SimulatorProcess]) -> None:
    """A fault that cannot come is refused before the run."""
    fault = parse_fault(f"kill {servers[0].url} at 1m")
    async with open_simulated_striker(servers, CONFIG) as striker:
        with pytest.raises(PlanError, match="after the load, which ends at 5 s"):
            await run_under_faults(plan_of(servers), [fault], striker)
