"""A plan becomes a result, against a simulated server: every shape, and every way to end."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import attrs
import msgspec
import pytest
import trio

from triollama.wire.transport import WireTransport
from triollama_adapters.loadtest.errors import PlanError, TargetError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running import asking
from triollama_adapters.loadtest.running.limits import sockets_max
from triollama_adapters.loadtest.running.null_server import measure_floor, open_null_server
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import SimulatorProcess, fast_config, open_simulator_processes

pytestmark = pytest.mark.slow

MS = 1_000_000
SCENARIO = Scenario("s", "llama3.2", prompts=Prompts("fixed", "Why?"), answers=Answers(5))
BRIEF = Facts()
"""Nothing was found out before, which saves the time for it."""


@attrs.define
class Kept:
    """Keeps samples."""

    samples: list[Sample] = attrs.field(factory=list)

    def add(self, sample: Sample) -> None:
        """Keep one."""
        self.samples.append(sample)


@pytest.fixture
async def server() -> AsyncIterator[SimulatorProcess]:
    """A quick server with a model that is loaded at once."""
    config = fast_config(
        load_s=0.0, decode_tokens_per_s=200.0, answer_tokens_min=4_000, answer_tokens_max=4_000
    )
    async with open_simulator_processes(1, config) as [started]:
        yield started


def plan_of(server: Any, shape: Any, scenario: Scenario = SCENARIO, **fields: Any) -> Plan:
    """A plan of a second."""
    values = {"duration_s": 1.0, "drain_s": 5.0, "seed": 3} | fields
    return Plan(Target((server.url,)), Workload((scenario,)), shape, **values)


def constant(per_s: float) -> OpenLoop:
    """So many sessions a second, evenly."""
    return OpenLoop((Phase(1.0, per_s, per_s),), "constant")


async def run(plan: Plan, **more: Any) -> tuple[Result, list[Sample]]:
    """The result, and every sample."""
    kept = Kept()
    result = await run_load(plan, sink=kept, **({"facts": BRIEF} | more))
    return result, kept.samples


async def test_an_open_loop(server: SimulatorProcess) -> None:
    """Requests are due when the schedule says, and none is missing from the result."""
    result, samples = await run(plan_of(server, constant(100.0), warm_up_s=0.5))
    assert (result.counts.scheduled, result.counts.before) == (100, 50)
    assert result.counts.ok == 100
    assert [each.scheduled_ns for each in sorted(samples, key=lambda each: each.session)] == [
        index * 10 * MS for index in range(150)
    ]
    assert [each.session for each in samples if not each.is_measured] == list(range(50))
    assert all(each.scheduled_ns <= each.sent_ns < each.done_ns for each in samples)
    assert result.rates.offered == 100.0
    assert result.metrics["ttft"].count == 100
    assert result.client.start_delay_p99_s < 1.0
    assert result.environment.triollama
    assert not result.is_stopped


async def test_an_open_loop_waits_for_no_answer(server: SimulatorProcess) -> None:
    """All are sent while the first is still being answered."""
    scenario = msgspec.structs.replace(SCENARIO, answers=Answers(300))
    _, samples = await run(plan_of(server, constant(30.0), scenario))
    assert len(samples) == 30
    assert max(each.sent_ns for each in samples) < min(each.done_ns for each in samples)


async def test_a_closed_loop(server: SimulatorProcess) -> None:
    """A user's next request is due when the last one is answered; never more are under way."""
    plan = plan_of(server, ClosedLoop(4, ramp_s=0.2), warm_up_s=0.2)
    result, samples = await run(plan)
    assert result.counts.ok == result.counts.scheduled > 40
    ended = {each.done_ns for each in samples}
    begun = sorted(each.scheduled_ns for each in samples)
    first = {0, 50 * MS, 100 * MS, 150 * MS}
    assert first < set(begun)
    assert set(begun) - first <= ended
    edges = [(each.sent_ns, 1) for each in samples] + [(each.done_ns, -1) for each in samples]
    under_way = [sum(by for _, by in sorted(edges)[:place]) for place in range(len(edges))]
    assert max(under_way) <= 4


async def test_users_think(server: SimulatorProcess) -> None:
    """So long between two sessions."""
    _, samples = await run(plan_of(server, ClosedLoop(1, think_s=0.2)))
    in_order = sorted(samples, key=lambda each: each.scheduled_ns)
    pauses = [b.scheduled_ns - a.done_ns for a, b in pairwise(in_order)]
    assert set(pauses) == {200 * MS}


async def test_conversations(server: SimulatorProcess) -> None:
    """Turn after turn, each due its time of thought after the answer before; prompts grow."""
    scenario = msgspec.structs.replace(SCENARIO, turns=3, think_s=0.02)
    _, samples = await run(plan_of(server, constant(20.0), scenario))
    of_first = sorted((each for each in samples if each.session == 0), key=lambda each: each.turn)
    assert [each.turn for each in of_first] == [0, 1, 2]
    assert all(b.scheduled_ns >= a.done_ns for a, b in pairwise(of_first))
    tokens = [each.prompt_tokens for each in of_first]
    assert tokens == sorted(set(tokens))
    assert max(each.scheduled_ns for each in samples) < 1_000 * MS


async def test_users_who_leave(server: SimulatorProcess) -> None:
    """As planned: that is no error."""
    scenario = msgspec.structs.replace(SCENARIO, cancels=0.5, cancel_s=0.01)
    result, _ = await run(plan_of(server, constant(100.0), scenario))
    assert 20 < result.counts.cancelled < 80
    assert result.counts.ok == 100 - result.counts.cancelled
    assert result.counts.errors == {}


async def test_what_does_not_end_is_censored(server: SimulatorProcess) -> None:
    """When the drain is over; it is counted with what had come of it."""
    scenario = msgspec.structs.replace(SCENARIO, answers=Answers(4_000))
    result, samples = await run(plan_of(server, constant(10.0), scenario, drain_s=0.2))
    assert (result.counts.scheduled, result.counts.censored) == (10, 10)
    assert all(each.outcome == "censored" and each.chunks > 0 for each in samples)


async def test_without_a_socket_it_is_unsent(
    server: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing waits for one."""
    monkeypatch.setattr(asking, "sockets_max", lambda: 2)
    scenario = msgspec.structs.replace(SCENARIO, answers=Answers(100))
    result, samples = await run(plan_of(server, constant(50.0), scenario))
    unsent = [each for each in samples if each.outcome == "unsent"]
    assert result.counts.errors == {"unsent": len(unsent)}
    assert len(unsent) > 30
    assert all((each.sent_ns, each.endpoint) == (0, "") for each in unsent)
    assert "2 connections" in unsent[0].detail


async def test_stopped_early(server: SimulatorProcess) -> None:
    """The result tells what there was until then, at once."""
    stop, seen = trio.Event(), list[Progress]()

    def on_progress(progress: Progress) -> None:
        seen.append(progress)
        if progress.ok > 10:
            stop.set()

    plan = plan_of(server, ClosedLoop(4), duration_s=3_600.0)
    with trio.fail_after(20):
        result, _ = await run(plan, on_progress=on_progress, stop=stop)
    assert result.is_stopped
    assert result.counts.ok > 10
    assert result.window_s < 20
    assert seen[-1].stage == "over"


async def test_stopped_while_it_connects(
    server: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was due and under way is cut off, and nobody says that it was never tried."""

    async def connect(*_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(WireTransport, "open", connect)
    stop = trio.Event()

    def on_progress(progress: Progress) -> None:
        assert progress.sent == 0
        if progress.scheduled >= 4:
            stop.set()

    plan = plan_of(server, ClosedLoop(4), duration_s=3_600.0)
    with trio.fail_after(20):
        result, samples = await run(plan, on_progress=on_progress, stop=stop)
    assert [(each.outcome, each.detail) for each in samples] == [("censored", "")] * 4
    assert (result.counts.censored, result.counts.errors) == (4, {})


async def test_what_is_under_way_counts_as_sent(server: SimulatorProcess) -> None:
    """Long before any answer is whole."""
    seen: list[Progress] = []
    stop = trio.Event()

    def on_progress(progress: Progress) -> None:
        seen.append(progress)
        if progress.sent == 3:
            stop.set()

    scenario = msgspec.structs.replace(SCENARIO, answers=Answers(4_000))
    plan = plan_of(server, ClosedLoop(3), scenario, duration_s=3_600.0)
    with trio.fail_after(20):
        await run(plan, on_progress=on_progress, stop=stop)
    assert (seen[-1].sent, seen[-1].ok) == (3, 0)


async def test_progress_is_told(server: SimulatorProcess) -> None:
    """Its counts never go back, and end where the result does."""
    seen: list[Progress] = []
    result, _ = await run(plan_of(server, constant(50.0)), on_progress=seen.append)
    assert [each.ok for each in seen] == sorted(each.ok for each in seen)
    assert seen[-1].scheduled == result.counts.scheduled
    assert {"before", "over"} <= {each.stage for each in seen}


async def test_what_is_found_out_before(server: SimulatorProcess) -> None:
    """Goes into the ledger, and the environment."""
    result, _ = await run(plan_of(server, constant(20.0)), facts=None)
    assert result.ledger is not None
    assert result.ledger.is_calibrated
    assert set(result.environment.servers.values()) == {"0.33.0"}
    assert {each.model for each in result.loaded} == {"llama3.2:latest"}
    assert result.plan.target.headers == {}


async def test_secrets_stay_out(server: SimulatorProcess) -> None:
    """Headers are sent, and are not in the result."""
    plan = plan_of(server, constant(5.0))
    target = msgspec.structs.replace(plan.target, headers={"Authorization": "Bearer secret"})
    result, _ = await run(msgspec.structs.replace(plan, target=target))
    assert "secret" not in msgspec.json.encode(result).decode()


async def test_a_target_that_dies_in_warm_up(server: SimulatorProcess) -> None:
    """It is said what came last; nothing is measured, and nobody waits for the rest."""

    def on_progress(progress: Progress) -> None:
        if progress.ok > 10:
            os.kill(server.pid, signal.SIGKILL)

    plan = plan_of(server, constant(100.0), warm_up_s=600.0)
    with trio.fail_after(30), pytest.raises(TargetError, match="in the warm-up"):
        await run(plan, on_progress=on_progress)


async def test_one_that_dies_later_is_measured(server: SimulatorProcess) -> None:
    """Every request that it does not answer is an error."""

    def on_progress(progress: Progress) -> None:
        if progress.ok > 5:
            os.kill(server.pid, signal.SIGKILL)

    result, _ = await run(plan_of(server, ClosedLoop(2), duration_s=2.0), on_progress=on_progress)
    assert result.counts.ok > 5
    assert result.counts.errors["connect"] > 0
    assert result.counts.scheduled < 10_000  # a refusal is not followed at once


async def test_a_plan_that_cannot_be(server: SimulatorProcess) -> None:
    """Is refused before anything is sent."""
    with pytest.raises(PlanError):
        await run(plan_of(server, ClosedLoop(0)))
    with pytest.raises(PlanError, match="connections"):
        await run(plan_of(server, ClosedLoop(sockets_max() + 1)))


async def test_cancelled_from_outside(server: SimulatorProcess) -> None:
    """Everything ends, and no answer goes on."""
    with trio.move_on_after(0.5) as scope:
        await run(plan_of(server, ClosedLoop(4), duration_s=60.0))
    assert scope.cancelled_caught


async def test_through_the_engine(server: SimulatorProcess) -> None:
    """Its pool chooses; what is measured is the same."""
    plan = plan_of(server, constant(50.0))
    target = msgspec.structs.replace(plan.target, routing="engine")
    result, samples = await run(msgspec.structs.replace(plan, target=target))
    assert result.counts.ok == 50
    assert {each.chunks for each in samples} == {5}


@pytest.mark.parametrize("api", ["chat", "generate", "embed", "openai"])
async def test_the_null_server(api: Any) -> None:
    """It answers every route at once, whole."""
    async with open_null_server(7) as url:
        plan = plan_of(SimulatorProcess(url, 0), ClosedLoop(2), duration_s=0.3)
        target = msgspec.structs.replace(plan.target, api=api)
        result, samples = await run(msgspec.structs.replace(plan, target=target))
    assert {each.outcome for each in samples} == {"ok"}
    assert result.counts.ok > 20
    assert {each.output_tokens for each in samples} == {0 if api == "embed" else 7}


async def test_the_floor() -> None:
    """What this client does without a server to wait for; conversations count turn by turn."""
    scenario = msgspec.structs.replace(SCENARIO, turns=3, think_s=10.0, cancels=1.0)
    plan = plan_of(SimulatorProcess("http://nowhere:1", 0), constant(1.0), scenario)
    assert await measure_floor(plan) > 100
