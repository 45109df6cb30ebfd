"""Whole loads under a mock clock, over a transport that follows a script: exact to the nanosecond.

`time.perf_counter_ns` is trio's clock here, so that hours take no time and nothing is ever late.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.running.generate import generate
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts, ModelFacts
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload

MS = 1_000_000
SCENARIO = Scenario("s", "m", prompts=Prompts("fixed", "Why?"), answers=Answers(3))


class Scripted(httpx.AsyncBaseTransport):
    """Answers each request with three chunks after 200, 250 and 350 ms, and ends it at 400 ms."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See the class; other questions are not answered."""
        if request.method == "GET":
            return httpx.Response(404)
        headers = {"Content-Type": "application/x-ndjson"}
        return httpx.Response(200, headers=headers, stream=Body())


class Body(httpx.AsyncByteStream):
    """See `Scripted`."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for pause_ms, line in (
            (200, {"message": {"content": "a"}}),
            (50, {"message": {"content": "b"}}),
            (100, {"message": {"content": "c"}}),
            (50, {"done": True, "eval_count": 3, "total_duration": 390 * MS}),
        ):
            await trio.sleep(pause_ms / 1_000)
            yield json.dumps(line).encode() + b"\n"


@attrs.define
class Kept:
    """Keeps samples."""

    samples: list[Sample] = attrs.field(factory=list)

    def add(self, sample: Sample) -> None:
        """Keep one."""
        self.samples.append(sample)


@pytest.fixture
def at_trios_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clock for everything; it begins at 10 s, so that no stamp is 0."""
    monkeypatch.setattr(
        time, "perf_counter_ns", lambda: 10**10 + round(trio.current_time() * 1_000) * MS
    )


async def load(shape: Any, scenario: Scenario = SCENARIO, **fields: Any) -> list[Sample]:
    """The samples of a load, by when they were due."""
    values = {"duration_s": 1.0, "drain_s": 5.0} | fields
    plan = Plan(Target(("http://a:1",)), Workload((scenario,)), shape, **values)
    kept = Kept()
    await generate(plan, Tally(plan), RunClock(), facts=Facts(), sink=kept, transport=Scripted())
    return sorted(kept.samples, key=lambda each: (each.scheduled_ns, each.session))


def constant(per_s: float) -> OpenLoop:
    """So many sessions a second, evenly."""
    return OpenLoop((Phase(1.0, per_s, per_s),), "constant")


@pytest.mark.usefixtures("at_trios_time")
async def test_a_scripted_timeline(autojump_clock: MockClock) -> None:
    """Every time of every request is the script's."""
    samples = await load(constant(10.0))
    assert len(samples) == 10
    for index, sample in enumerate(samples):
        due = index * 100 * MS
        assert (sample.outcome, sample.scheduled_ns, sample.sent_ns) == ("ok", due, due)
        assert (sample.first_ns, sample.shown_ns) == (due + 200 * MS, due + 200 * MS)
        assert sample.gaps_ns == [50 * MS, 100 * MS]
        assert (sample.last_ns, sample.done_ns) == (due + 350 * MS, due + 400 * MS)
        assert sample.ended_ns == sample.done_ns
        assert sample.total_ns == 390 * MS


@pytest.mark.usefixtures("at_trios_time")
async def test_users_one_after_the_other(autojump_clock: MockClock) -> None:
    """The next request is due when the last answer is whole, and the user has thought."""
    samples = await load(ClosedLoop(1, think_s=0.1), duration_s=2.0)
    assert [each.scheduled_ns for each in samples] == [0, 500 * MS, 1_000 * MS, 1_500 * MS]
    assert all(each.sent_ns == each.scheduled_ns for each in samples)


@pytest.mark.usefixtures("at_trios_time")
async def test_the_ramp(autojump_clock: MockClock) -> None:
    """Users begin evenly over it."""
    samples = await load(ClosedLoop(4, ramp_s=0.2), duration_s=0.3)
    assert [each.scheduled_ns for each in samples] == [0, 50 * MS, 100 * MS, 150 * MS]


@attrs.define
class Counting(Scripted):
    """Counts the words of prompts, by model."""

    words: dict[str, set[int]] = attrs.field(factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As ever."""
        if request.method == "POST":
            asked = json.loads(request.content)
            words = len(asked["messages"][-1]["content"].split())
            self.words.setdefault(asked["model"], set()).add(words)
        return await super().handle_async_request(request)


@pytest.mark.usefixtures("at_trios_time")
async def test_prompts_are_as_long_as_each_model_counts(autojump_clock: MockClock) -> None:
    """Of a mix, each has its own tokens; of one that was not measured, four characters are one."""
    prompts = Prompts("synthetic", tokens=100)
    mix = tuple(Scenario(each, each, prompts=prompts) for each in ("a", "b", "c"))
    plan = Plan(Target(("http://a:1",)), Workload(mix), constant(50.0), duration_s=1.0)
    models = {
        "a": ModelFacts(characters_per_token=4.0, overhead_tokens=20.0),
        "b": ModelFacts(characters_per_token=2.0, overhead_tokens=0.0),
        "c": ModelFacts(),
    }
    transport = Counting()
    facts = Facts(models=models)
    await generate(plan, Tally(plan), RunClock(), facts=facts, transport=transport)
    assert transport.words == {"a": {80}, "b": {50}, "c": {100}}


@pytest.mark.usefixtures("at_trios_time")
async def test_windows(autojump_clock: MockClock) -> None:
    """What was due in the warm-up is not measured, whenever it ends."""
    samples = await load(constant(10.0), warm_up_s=0.3)
    assert [each.is_measured for each in samples] == [False] * 3 + [True] * 10


@pytest.mark.usefixtures("at_trios_time")
async def test_the_drain_cuts_off(autojump_clock: MockClock) -> None:
    """At its end, what is under way is censored, with what had come."""
    samples = await load(constant(10.0), drain_s=0.22)
    assert [each.outcome for each in samples] == ["ok"] * 9 + ["censored"]
    *_, last = samples
    assert (last.first_ns, last.chunks, last.done_ns) == (1_100 * MS, 2, 0)
    assert last.ended_ns == 1_220 * MS


@pytest.mark.usefixtures("at_trios_time")
async def test_conversations_end_with_the_schedule(autojump_clock: MockClock) -> None:
    """A turn that would be due after it is not begun."""
    scenario = Scenario(
        "s", "m", prompts=Prompts("fixed", "Why?"), answers=Answers(3), turns=9, think_s=0.0
    )
    samples = await load(OpenLoop((Phase(1.0, 1.0, 1.0),), "constant"), scenario)
    assert [(each.turn, each.scheduled_ns) for each in samples] == [
        (0, 0),
        (1, 400 * MS),
        (2, 800 * MS),
    ]


@pytest.mark.usefixtures("at_trios_time")
async def test_users_who_leave(autojump_clock: MockClock) -> None:
    """So long after sending as was drawn, at most; the answer was not whole then."""
    scenario = Scenario(
        "s", "m", prompts=Prompts("fixed", "Why?"), answers=Answers(3), cancels=1.0, cancel_s=0.3
    )
    samples = await load(constant(20.0), scenario)
    assert {each.outcome for each in samples} == {"cancelled"}
    assert all(0 <= each.ended_ns - each.sent_ns <= 300 * MS for each in samples)
    assert len({each.ended_ns - each.sent_ns for each in samples}) > 10
