"""What is found out before the load."""

from __future__ import annotations

import socket
import time
from typing import Any

import msgspec
import pytest

from triollama_adapters.loadtest.errors import TargetError
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.calibrate import LONG_WORDS, SHORT_WORDS, facts_of
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.targets.preflight import preflight
from triollama_adapters.simulator import Fault, FaultRule

SHORT = Sample(
    0,
    sent_ns=1_000,
    done_ns=1_120,
    prompt_tokens=20,
    total_ns=100,
    load_ns=10,
    prefill_ns=20,
    decode_ns=30,
    is_timed=True,
)


def changed(**changes: Any) -> Sample:
    """A short request, a little otherwise."""
    return msgspec.structs.replace(SHORT, **changes)


def test_what_a_few_requests_tell() -> None:
    """The median residual is the overhead; 256 words more are so many tokens more."""
    short = [changed(total_ns=total) for total in (95, 100, 300)]
    long = changed(prompt_tokens=20 + 512, prefill_ns=5_320)
    facts = facts_of(short, long, "chat")
    assert (facts.overhead_ns, facts.rtt_ns, facts.load_ns) == (40, 20, 10)
    assert facts.prefill_ns_per_token == 10.0
    assert LONG_WORDS - SHORT_WORDS == 256
    assert facts.characters_per_token == 2.0
    assert facts.overhead_tokens == 20 - 2 * SHORT_WORDS


def test_without_times_or_counts() -> None:
    """What is not told is None; nothing is guessed."""
    short = [changed(is_timed=False, prompt_tokens=0)] * 3
    facts = facts_of(short, short[0], "chat")
    assert (facts.overhead_ns, facts.rtt_ns, facts.characters_per_token) == (None, None, None)


def test_a_residual_is_never_negative() -> None:
    """Some servers' terms are more than their total."""
    assert facts_of([changed(total_ns=1)] * 3, SHORT, "chat").overhead_ns == 0


@pytest.mark.parametrize("api", ["chat", "generate"])
async def test_a_simulated_server(open_server: Any, make_plan: Any, api: str) -> None:
    """Its version, models, overhead, and what a token is: 264 words come out as 264 tokens."""
    async with open_server(prefill_tokens_per_s=10_000.0) as server:
        facts = await preflight(make_plan(server.url, api=api))
    [endpoint] = facts.endpoints
    assert endpoint.version == "0.33.0"
    assert "llama3.2:latest" in endpoint.models
    assert facts.is_timed
    assert facts.warnings == ()
    found = facts.models["llama3.2"]
    assert found.overhead_ns is not None
    assert 0 <= found.overhead_ns < 50_000_000
    assert found.prefill_ns_per_token == pytest.approx(100_000, rel=0.2)
    lengths = facts.lengths()["llama3.2"]
    assert lengths.words(round(lengths.overhead_tokens) + 264) == pytest.approx(264, abs=2)
    assert facts.baselines()["llama3.2"].overhead_ns == found.overhead_ns


async def test_openai_does_not_tell_times(open_server: Any, make_plan: Any) -> None:
    """It is said so; tokens are counted."""
    async with open_server() as server:
        facts = await preflight(make_plan(server.url, api="openai"))
    assert not facts.is_timed
    assert facts.models["llama3.2"].characters_per_token is not None
    [warning] = facts.warnings
    assert "/v1 does not tell" in warning


async def test_embeddings(open_server: Any, make_plan: Any) -> None:
    """They are timed, too."""
    async with open_server() as server:
        facts = await preflight(make_plan(server.url, api="embed", model="nomic-embed-text"))
    assert facts.is_timed
    assert facts.warnings == ()


async def test_without_measuring(open_server: Any, make_plan: Any) -> None:
    """Nothing is asked of a model, so that it stays unloaded."""
    async with open_server() as server:
        facts = await preflight(make_plan(server.url), calibrates=False)
        assert server.simulator.statistics().loaded == ()
    assert (facts.models, facts.lengths()) == ({}, {})


@pytest.mark.parametrize("api", ["chat", "openai"])
async def test_a_model_that_is_not_there(open_server: Any, make_plan: Any, api: str) -> None:
    """Those that are there are named."""
    async with open_server() as server:
        with pytest.raises(TargetError, match=r"does not have the model 'nix'.*llama3\.2"):
            await preflight(make_plan(server.url, model="nix", api=api))


async def test_the_second_endpoint_lacks_it(open_server: Any, make_plan: Any) -> None:
    """Every endpoint is looked at."""
    async with open_server() as one, open_server(models=()) as other:
        plan = make_plan(one.url, other.url)
        with pytest.raises(TargetError, match="does not"):
            await preflight(plan)


async def test_nobody_is_there(make_plan: Any) -> None:
    """It is said who cannot be reached."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(TargetError, match=f"127.0.0.1:{port} cannot be reached"):
            await preflight(make_plan(f"http://127.0.0.1:{port}"))


async def test_a_server_that_only_fails(open_server: Any, make_plan: Any) -> None:
    """It answers questions, and no request."""
    async with open_server() as server:
        fault = Fault(kind="status", status=500, text="no GPU")
        server.simulator.faults.set((FaultRule(fault=fault),))
        with pytest.raises(TargetError, match="before any load: 500: no GPU"):
            await preflight(make_plan(server.url))


def test_facts_cross_processes() -> None:
    """As MessagePack."""
    facts = Facts(warnings=("a",))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=Facts) == facts


def test_the_clock() -> None:
    """Times count from its beginning, which may lie ahead; 0 is never and stays so."""
    now_ns = time.perf_counter_ns()
    clock = RunClock(now_ns + 10**9)
    assert clock.now_ns() < 0
    assert clock.of(clock.start_ns + 5) == 5
    assert clock.of(0) == 0
    began_at = RunClock(now_ns).began_at
    assert (clock.began_at - began_at).total_seconds() == pytest.approx(1.0, abs=0.01)


async def test_sleeping_by_the_clock() -> None:
    """Until a time of the run; one that has passed is no time to wait for."""
    clock = RunClock(time.perf_counter_ns())
    await clock.sleep_until(10_000_000)
    assert clock.now_ns() >= 9_990_000
    await clock.sleep_until(-5)
