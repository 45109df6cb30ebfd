"""A request from admission to its one outcome: failover, prefixes, cancellation."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from triollama import EndpointConfig, EngineConfig, Outcome, RateLimit, Stream, open_engine
from triollama._errors import (
    ConnectError,
    ConnectionLostError,
    EndpointError,
    EngineFaultError,
    FleetUnavailableError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    StallError,
    StreamCancelledError,
)
from triollama_adapters.simulator import DEFAULT_MODELS, SimulatorConfig

A, B, C = "http://a:11434", "http://b:11434", "http://c:11434"
QUESTION = ("llama3.2", "why?")
CONFIG = EngineConfig(first_token_s=3.0, stall_s=2.0)

BEFORE = {  # what can go wrong before the first token: the fault, the error, what the pool is told
    "refuse": ({}, ConnectError, Outcome.UNREACHABLE),
    "reset": ({"after_bytes": 0}, ConnectionLostError, Outcome.UNREACHABLE),
    "reset in the head": (
        {"kind": "reset", "after_bytes": 40},
        ConnectionLostError,
        Outcome.UNREACHABLE,
    ),
    "reset before a token": ({"kind": "reset"}, ConnectionLostError, Outcome.UNREACHABLE),
    "status": ({"status": 500}, ServerFailedError, Outcome.FAILED),
    "busy": (
        {"kind": "status", "status": 503, "text": "server busy, please try again"},
        ServerBusyError,
        Outcome.BUSY,
    ),
    "too many": ({"kind": "status", "status": 429}, ServerBusyError, Outcome.BUSY),
    "stall": ({}, StallError, Outcome.FAILED),
    "garbage_line": ({}, ProtocolError, Outcome.FAILED),
    "error_line": ({}, ServerFailedError, Outcome.FAILED),
    "half_close": ({}, EndpointError, Outcome.FAILED),
    "truncated_chunk": ({}, EndpointError, Outcome.FAILED),
    "wrong_length": ({"count": -1}, EndpointError, Outcome.FAILED),
    "redirect": ({"status": 302}, ProtocolError, Outcome.FAILED),
    "header_bomb": ({"count": 200}, EndpointError, Outcome.FAILED),
}


async def unbroken(lab: Any) -> str:
    """The whole text, from a server without faults."""
    answer = await lab.engine.chat(*QUESTION)
    text: str = answer.content
    return text


# ---- before the first token


@pytest.mark.parametrize("fault", BEFORE)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_before_the_first_token_another_endpoint_answers(
    autojump_clock: MockClock, open_lab: Any, fault: str, *, is_stream: bool
) -> None:
    """Whatever goes wrong, the reader sees one whole answer and two attempts that tell why."""
    more, _, outcome = BEFORE[fault]
    async with open_lab(config=CONFIG) as lab:
        whole = await unbroken(lab)
        await lab.engine.chat(*QUESTION)  # so that the next one is A's turn
        lab.fault(A, **({"kind": fault} | more))
        async with lab.engine.stream_chat(*QUESTION) as stream:
            if is_stream:
                text = "".join([chunk.content async for chunk in stream])
            else:
                text = (await stream.collect()).content
        assert text == whole
        first, second = stream.attempts
        assert (first.endpoint, first.why) == ("a:11434", outcome)
        assert first.error
        assert (second.endpoint, second.why) == ("b:11434", Outcome.DONE)
        assert stream.endpoint == "b:11434"
        assert first.started_ns <= first.ended_ns <= second.started_ns <= second.ended_ns
        failures = lab.engine.statistics().endpoints[0].failures_in_row
        assert failures == (0 if outcome is Outcome.BUSY else 1)


@pytest.mark.parametrize("fault", BEFORE)
async def test_with_nobody_else_the_cause_is_told(
    autojump_clock: MockClock, open_lab: Any, fault: str
) -> None:
    """One server, broken: it is tried again, and the error carries each typed error."""
    more, kind, _ = BEFORE[fault]
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, **({"kind": fault} | more))
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.chat(*QUESTION)
        assert len(caught.value.causes) == CONFIG.attempts_max
        for cause in caught.value.causes:
            assert isinstance(cause, kind)
            assert cause.endpoint == "a:11434"
        assert "a:11434" in str(caught.value)
        assert lab.engine.statistics().failed == 1


async def test_gzip_is_refused(autojump_clock: MockClock, open_lab: Any) -> None:
    """Compression that nobody asked for is never unpacked."""
    async with open_lab(A) as lab:
        lab.fault(A, "gzip")
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.chat(*QUESTION)
        assert isinstance(caught.value.causes[0], ProtocolError)


@pytest.mark.parametrize("kind", ["half_close", "reset", "stall"])
async def test_all_endpoints_down(autojump_clock: MockClock, open_lab: Any, kind: str) -> None:
    """Each is tried once before one is tried again, and each cause is told."""
    config = attrs.evolve(CONFIG, attempts_max=3)
    async with open_lab(A, B, C, config=config) as lab:
        for url in (A, B, C):
            lab.fault(url, kind)
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.chat(*QUESTION)
        assert {cause.endpoint for cause in caught.value.causes} == {
            "a:11434",
            "b:11434",
            "c:11434",
        }
        for url in (A, B, C):
            lab.fleet.kill(url)
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.chat(*QUESTION)
        assert [type(cause) for cause in caught.value.causes] == [ConnectError] * 3


@pytest.mark.parametrize("attempts_max", [1, 2, 3])
async def test_attempts_are_counted(
    autojump_clock: MockClock, open_lab: Any, attempts_max: int
) -> None:
    """No more endpoints are asked than `attempts_max` says."""
    async with open_lab(A, B, C, config=EngineConfig(attempts_max=attempts_max)) as lab:
        for url in (A, B, C):
            lab.fault(url, "status", status=500)
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.chat(*QUESTION)
        assert len(caught.value.causes) == attempts_max
        assert sum(lab.asked(url) for url in (A, B, C)) == attempts_max


async def test_a_model_that_one_has(autojump_clock: MockClock, open_lab: Any) -> None:
    """The endpoint that lacks it is asked once, then remembered; it is not held against it."""
    with_all = SimulatorConfig()
    without = SimulatorConfig(models=DEFAULT_MODELS[1:])
    async with open_lab(servers={A: without, B: with_all}) as lab:
        for _ in range(4):
            assert (await lab.engine.chat(*QUESTION)).content
        assert (lab.asked(A), lab.asked(B)) == (1, 4)
        assert lab.engine.statistics().endpoints[0].failures_in_row == 0
        lab.fleet.kill(B)
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.chat(*QUESTION)
        assert {type(cause) for cause in caught.value.causes} == {ConnectError}


async def test_the_callers_mistake_is_raised_at_once(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """A 400 is not tried elsewhere, and the endpoint is well."""
    async with open_lab() as lab:
        lab.fault(A, "status", status=400, text="wrong format")
        with pytest.raises(RequestRejectedError, match="a:11434 answered 400: wrong format"):
            await lab.engine.chat(*QUESTION)
        assert lab.asked(B) == 0
        assert lab.engine.statistics().endpoints[0].failures_in_row == 0


# ---- after the first token


@pytest.mark.parametrize("byte", [*range(0, 240, 7), 400, 600, 800, 1_500, 2_500])
async def test_a_reset_at_any_byte_costs_nothing(
    autojump_clock: MockClock, open_lab: Any, byte: int
) -> None:
    """Cut anywhere, the answer is sent again or gone on with: the reader has the whole text."""
    async with open_lab() as lab:
        whole = await unbroken(lab)
        await lab.engine.chat(*QUESTION)
        lab.fault(A, "reset", after_bytes=byte)
        text = ""
        async with lab.engine.stream_chat(*QUESTION) as stream:
            async for chunk in stream:
                text += chunk.content
        assert text == whole
        assert len(stream.attempts) == 2


async def test_missing_done_is_a_failure(autojump_clock: MockClock, open_lab: Any) -> None:
    """All the text, but no terminal line: the rest is asked for, and it is empty."""
    async with open_lab() as lab:
        whole = await unbroken(lab)
        await lab.engine.chat(*QUESTION)
        lab.fault(A, "missing_done")
        async with lab.engine.stream_chat(*QUESTION) as stream:
            assert "".join([chunk.content async for chunk in stream]) == whole
        assert [attempt.why for attempt in stream.attempts] == [Outcome.FAILED, Outcome.DONE]
        assert stream.attempts[1].characters == 0


@pytest.mark.parametrize("fault", ["double_done", "after_done"])
async def test_what_follows_done_changes_nothing(
    autojump_clock: MockClock, open_lab: Any, fault: str
) -> None:
    """The first terminal line is the end: one outcome, the text as it was."""
    async with open_lab(A) as lab:
        whole = await unbroken(lab)
        lab.fault(A, fault)
        async with lab.engine.stream_chat(*QUESTION) as stream:
            assert "".join([chunk.content async for chunk in stream]) == whole
        assert lab.engine.statistics().done == 2
        assert [attempt.why for attempt in stream.attempts] == [Outcome.DONE]


@pytest.mark.parametrize("fault", ["drip", "informational"])
async def test_what_is_only_odd_is_no_failure(
    autojump_clock: MockClock, open_lab: Any, fault: str
) -> None:
    """A slow server, or one that sends hints, gives its answer."""
    async with open_lab(A) as lab:
        whole = await unbroken(lab)
        lab.fault(A, fault, count=3, bytes_per_s=500.0)
        assert await unbroken(lab) == whole


# ---- the bound of what is in flight


async def test_in_flight_is_bounded(
    autojump_clock: MockClock, open_lab: Any, nursery: trio.Nursery
) -> None:
    """Never more than `max_in_flight` at a server; the others wait, and all are answered."""
    seen = []
    async with open_lab(A) as lab:
        config = EndpointConfig(A, max_in_flight=3)
        async with open_engine(config, transport=lab.fleet.transport()) as engine:
            async with trio.open_nursery() as asking:
                for _ in range(12):
                    asking.start_soon(engine.chat, *QUESTION)
                await trio.sleep(0.5)
                now = engine.statistics()
                assert (now.running, now.waiting) == (3, 9)
                seen.append(lab.fleet.simulator(A).statistics().in_flight)
            assert engine.statistics().done == 12
    assert seen == [3]


# ---- leaving


async def test_leaving_the_block_stops_the_generation(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """By break, exception or end: when the block is left, the server has stopped already."""
    async with open_lab(A) as lab:
        for left in range(3):
            async with lab.engine.stream_chat(*QUESTION) as stream:
                await anext(stream)
            state = lab.fleet.simulator(A).statistics()
            assert (state.in_flight, state.generations_aborted) == (0, left + 1)
            assert lab.engine.statistics().running == 0
            assert lab.engine.statistics().cancelled == left + 1
            with pytest.raises(StreamCancelledError):
                await stream.collect()


async def test_leaving_in_the_moment_of_a_stall(autojump_clock: MockClock, open_lab: Any) -> None:
    """Whatever else stops an attempt in that moment, no other one begins after leaving."""
    async with open_lab(config=CONFIG) as lab:
        lab.fault(A, "stall")
        left_s = 0.0
        async with lab.engine.stream_chat(*QUESTION) as stream:
            await trio.sleep(1)
            assert stream.endpoint == "a:11434"
            stream._worker.stop(StallError("first_token_s", 3.0))
            left_s = trio.current_time()
        assert trio.current_time() == left_s
        assert lab.served(B) == 0
        assert lab.engine.statistics().cancelled == 1


async def test_closing_in_the_moment_of_a_stall(autojump_clock: MockClock, open_lab: Any) -> None:
    """`Stream.cancel` is the last word, though a clock had run out just before."""
    async with open_lab(config=CONFIG) as lab:
        lab.fault(A, "stall")
        async with lab.engine.stream_chat(*QUESTION) as stream:
            await trio.sleep(1)
            stream._worker.stop(StallError("first_token_s", 3.0))
            stream.cancel()
            with pytest.raises(StreamCancelledError):
                await stream.collect()


async def test_leaving_before_the_quota_is_asked_for(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """A request that ends before it does anything takes no place among those that wait."""
    config = EngineConfig(limits=[RateLimit("engine", requests_per_s=0.1)])
    async with open_lab(A, config=config) as lab:
        limiter = lab.engine._runtime.limiter
        await unbroken(lab)
        async with lab.engine.stream_chat(*QUESTION) as stream:
            stream._worker.stop(StreamCancelledError("the stream was cancelled"))
            await wait_all_tasks_blocked()
            assert (limiter.statistics().asked, limiter.statistics().waiting) == (1, 0)


async def test_leaving_while_the_models_are_listed(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """The last word of a failure takes questions to the fleet; leaving does not wait for them."""
    async with open_lab(A) as lab:
        lab.fault(A, "stall", rule={"routes": ("/api/tags",)})
        async with lab.engine.stream_chat("stranger", "why?"):
            await trio.sleep(1)
            assert lab.asked(A, "/api/tags") == 1
            left_s = trio.current_time()
        assert trio.current_time() == left_s


async def test_a_defect_of_ours_is_told(
    autojump_clock: MockClock, open_lab: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What no one foresaw ends the one request, typed and logged, and the engine goes on."""
    async with open_lab(A) as lab:

        async def broken(*_: Any) -> None:
            await trio.lowlevel.checkpoint()
            raise LookupError("defect")

        access = lab.engine._runtime._access["a:11434"]
        access.attempt = broken
        async with lab.engine.stream_chat(*QUESTION) as stream:
            with pytest.raises(EngineFaultError) as caught:
                await stream.collect()
        assert isinstance(caught.value.__cause__, LookupError)
        assert caplog.records
        del access.attempt
        assert await unbroken(lab)
        assert lab.engine.statistics().failed == 1


# ---- cancellation at every checkpoint


async def _collect(lab: Any) -> str:
    return await unbroken(lab)


async def _iterate(lab: Any) -> str:
    async with lab.engine.stream_chat(*QUESTION) as stream:
        return "".join([chunk.content async for chunk in stream])


async def _gather(lab: Any) -> str:
    stream: Stream[Any, Any]
    async with lab.engine.stream_chat(*QUESTION) as stream:
        await anext(stream)
        text: str = (await stream.collect()).content
        return text


@pytest.mark.parametrize("ask", [_collect, _iterate, _gather])
@pytest.mark.parametrize("scene", ["calm", "failover", "line"])
async def test_cancelled_at_every_checkpoint(
    autojump_clock: MockClock, open_lab: Any, cancel_at_step: Any, ask: Any, scene: str
) -> None:
    """Leases, places, tasks are back, the server has stopped; the next request works."""
    async with open_lab(answer_tokens_min=4, answer_tokens_max=4) as lab:
        whole = await unbroken(lab)
        for step in range(1, 200):
            if scene == "failover":
                for url in (A, B):
                    lab.fault(url, "status", status=500, rule={"nth": (1,)})
            text = None
            async with trio.open_nursery() as others:
                if scene == "line":
                    for url in (A, B):
                        lab.engine.update_endpoint(EndpointConfig(url, max_in_flight=1))
                        others.start_soon(lab.engine.chat, *QUESTION)
                    await trio.sleep(0.05)
                with cancel_at_step(step) as scope:
                    text = await ask(lab) if scene != "failover" else await _patient(ask, lab)
                if scene != "line":
                    lab.check_baseline()
            await trio.lowlevel.checkpoint()
            lab.check_baseline()
            if not scope.cancelled_caught:
                assert text == whole
                break
        else:
            pytest.fail("too many checkpoints")
        assert step > 2
        for url in (A, B):
            lab.fleet.set_faults(url)
        assert await unbroken(lab) == whole


async def _patient(ask: Any, lab: Any) -> str:
    """Both endpoints fail once: ask again."""
    try:
        text: str = await ask(lab)
    except FleetUnavailableError:
        text = await ask(lab)
    return text
