"""The clocks: each one tick before and after its limit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import (
    DeadlineExceededError,
    FleetUnavailableError,
    StallError,
    StreamCancelledError,
)
from triollama.actors.streams.messages import Quiet
from triollama.actors.streams.watchdog import (
    SLICE,
    TICK_S,
    TICK_S_MAX,
    clock_of,
    run_out,
    tick_s,
)

A = "http://a:11434"
QUESTION = ("llama3.2", "why?")
EPSILON_S = 0.001
CONFIG = EngineConfig(first_token_s=30.0, stall_s=7.0, linger_s=0.5, attempts_max=1)
TOKEN_S = 0.1  # of the calm servers of `open_lab`


@pytest.mark.parametrize(
    ("has_begun", "is_whole", "clock"),
    [
        (False, False, ("first_token_s", 30.0)),
        (True, False, ("stall_s", 7.0)),
        (True, True, ("linger_s", 0.5)),
        (False, True, ("linger_s", 0.5)),
    ],
)
def test_which_clock_runs(*, has_begun: bool, is_whole: bool, clock: tuple[str, float]) -> None:
    """Before the first byte, between bytes, after the last line: each has its own limit."""
    quiet = Quiet(since_s=100.0, received_bytes=5, has_begun=has_begun)
    assert clock_of(quiet, CONFIG, is_whole=is_whole) == clock
    error = run_out(*clock)
    if is_whole:
        assert isinstance(error, StreamCancelledError)
    else:
        assert isinstance(error, StallError)
        assert (error.clock, error.limit_s) == clock


@pytest.mark.parametrize(
    ("workers", "tick"), [(0, TICK_S), (1_000, TICK_S), (2_000, 2 * TICK_S), (10**6, TICK_S_MAX)]
)
def test_many_are_looked_at_less_often(workers: int, tick: float) -> None:
    """So that the looks never take more than a small part of a core."""
    assert tick_s(workers) == pytest.approx(tick)


@pytest.mark.parametrize("clock", ["first_token_s", "stall_s"])
async def test_a_clock_can_be_off(autojump_clock: MockClock, open_lab: Any, clock: str) -> None:
    """Infinity never comes."""
    config = EngineConfig(**{clock: math.inf})
    async with open_lab(A, config=config) as lab:
        after = 0 if clock == "first_token_s" else 3
        lab.fault(A, "stall", after_tokens=after, seconds=1_000.0)
        assert (await lab.engine.chat(*QUESTION)).content


async def _fails_after(lab: Any, **terms: Any) -> tuple[BaseException, float]:
    started_s = trio.current_time()
    with pytest.raises((FleetUnavailableError, StallError, DeadlineExceededError)) as caught:
        await lab.engine.chat(*QUESTION, **terms)
    return caught.value, trio.current_time() - started_s


async def test_first_token_s(autojump_clock: MockClock, open_lab: Any) -> None:
    """A server that says nothing is given up one tick after the clock, with its name."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, "stall")
        error, took_s = await _fails_after(lab)
    assert 30.0 <= took_s <= 30.0 + TICK_S + 2 * EPSILON_S
    assert isinstance(error, FleetUnavailableError)
    [cause] = error.causes
    assert isinstance(cause, StallError)
    assert (cause.clock, cause.limit_s, cause.endpoint) == ("first_token_s", 30.0, "a:11434")


@pytest.mark.parametrize(("seconds", "fails"), [(29.0, False), (30.0 + 2 * TICK_S, True)])
async def test_first_token_s_by_ticks(
    autojump_clock: MockClock, open_lab: Any, seconds: float, *, fails: bool
) -> None:
    """An answer that begins before the clock runs out is taken, one after it is not."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, "stall", seconds=seconds)
        if fails:
            await _fails_after(lab)
        else:
            await lab.engine.chat(*QUESTION)


async def test_stall_s(autojump_clock: MockClock, open_lab: Any) -> None:
    """A server that stops in the middle is given up one tick after the clock."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, "stall", after_tokens=5)
        error, took_s = await _fails_after(lab)
    assert isinstance(error, FleetUnavailableError)
    [cause] = error.causes
    assert isinstance(cause, StallError)
    assert (cause.clock, cause.endpoint) == ("stall_s", "a:11434")
    assert 7.0 <= took_s - 5 * TOKEN_S <= 7.0 + TICK_S + 2 * EPSILON_S


@pytest.mark.parametrize(("seconds", "fails"), [(6.9, False), (7.0 + 2 * TICK_S, True)])
async def test_stall_s_by_ticks(
    autojump_clock: MockClock, open_lab: Any, seconds: float, *, fails: bool
) -> None:
    """A pause below the limit is none."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, "stall", after_tokens=5, seconds=seconds)
        if fails:
            await _fails_after(lab)
        else:
            await lab.engine.chat(*QUESTION)


async def test_a_slow_stream_is_no_stalled_one(autojump_clock: MockClock, open_lab: Any) -> None:
    """Any byte sets the clock back: an answer of minutes in small pieces is fine."""
    async with open_lab(A, config=CONFIG, decode_tokens_per_s=0.2) as lab:
        await lab.engine.chat(*QUESTION)
        assert trio.current_time() > 60


async def test_a_slow_reader_does_not_trip_the_clock(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """While the stream is paused because of its reader, the server is not to blame."""
    config = EngineConfig(stall_s=7.0, buffer_bytes_high=300)
    async with open_lab(A, config=config) as lab, lab.engine.stream_chat(*QUESTION) as stream:
        read = 0
        async for _ in stream:
            read += 1
            await trio.sleep(50)
        assert read == 21


async def test_a_users_pause_does_not_trip_the_clock(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """A stream can be paused for minutes; after `resume` the clock runs again."""
    async with open_lab(A, config=CONFIG) as lab, lab.engine.stream_chat(*QUESTION) as stream:
        await anext(stream)
        stream.pause()
        await trio.sleep(600)
        stream.resume()
        lab.fault(A, "stall")
        assert len([chunk async for chunk in stream]) == 20


@pytest.mark.parametrize("by", ["total_s", "deadline_s"])
async def test_the_whole_request_has_a_deadline(
    autojump_clock: MockClock, open_lab: Any, by: str
) -> None:
    """`deadline_s`, or `total_s` where there is none, ends the request, however it is going."""
    config = EngineConfig(total_s=0.75 if by == "total_s" else 1e6)
    terms = {} if by == "total_s" else {"deadline_s": 0.75}
    async with open_lab(A, config=config) as lab:
        error, took_s = await _fails_after(lab, **terms)
        assert isinstance(error, DeadlineExceededError)
        assert error.limit_s == 0.75
        assert 0.75 <= took_s <= 0.75 + 2 * TICK_S
        assert lab.engine.statistics().failed == 1
        state = lab.fleet.simulator(A).statistics()
        assert state.generations_aborted == 1


async def test_a_deadline_that_is_met(autojump_clock: MockClock, open_lab: Any) -> None:
    """An answer of 2 s has its 2.2 s, and the request's own deadline wins over `total_s`."""
    async with open_lab(A, config=EngineConfig(total_s=0.5)) as lab:
        await lab.engine.chat(*QUESTION, deadline_s=2.2)


async def test_the_deadline_holds_while_nobody_reads(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """A paused stream has no stall clock, but its deadline."""
    async with open_lab(A) as lab, lab.engine.stream_chat(*QUESTION, deadline_s=5) as stream:
        stream.pause()
        await trio.sleep(6)
        assert lab.engine.statistics().running == 0
        with pytest.raises(DeadlineExceededError):
            await stream.collect()


async def test_the_deadline_holds_in_line(autojump_clock: MockClock, open_lab: Any) -> None:
    """Who waits for an endpoint is told in time, and `line_s` bounds the wait by itself."""
    async with open_lab(A, config=EngineConfig(line_s=20.0), decode_tokens_per_s=0.1) as lab:
        lab.engine.update_endpoint(EndpointConfig(A, max_in_flight=1))
        async with lab.engine.stream_chat(*QUESTION) as stream:
            await anext(stream)
            error, took_s = await _fails_after(lab, deadline_s=3.0)
            assert isinstance(error, DeadlineExceededError)
            assert took_s == pytest.approx(3.0, abs=TICK_S)
            error, took_s = await _fails_after(lab)
            assert isinstance(error, DeadlineExceededError)
            assert took_s == pytest.approx(20.0, abs=TICK_S)


async def test_an_answer_that_does_not_end_its_body(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """Whole at its terminal line: done at once, and the connection is given up after `linger_s`."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.fault(A, "wrong_length", count=10)
        async with lab.engine.stream_chat(*QUESTION) as stream:
            await stream.collect()
            assert lab.engine.statistics().done == 1
        answered_s = trio.current_time()
        with trio.fail_after(5):
            while lab.engine._runtime.streams._workers:
                await trio.sleep(EPSILON_S)
        assert trio.current_time() - answered_s <= CONFIG.linger_s + 2 * TICK_S


async def test_many_are_looked_at_in_slices(autojump_clock: MockClock, open_lab: Any) -> None:
    """Each once per tick, and none is forgotten when its clock runs out."""
    sizes: list[int] = []
    async with open_lab(A, num_parallel=1_000, config=CONFIG) as lab, trio.open_nursery() as asking:
        watchdog = lab.engine._runtime.streams.watchdog
        real = watchdog.look

        def look(workers: Any, now_s: float) -> None:
            sizes.append(len(workers))
            real(workers, now_s)

        watchdog.look = look
        lab.fault(A, "stall", after_tokens=3)

        async def ask() -> None:
            with pytest.raises(DeadlineExceededError):
                await lab.engine.chat(*QUESTION, deadline_s=5.0)

        for _ in range(2 * SLICE + 50):
            asking.start_soon(ask)
    assert {SLICE, 50} <= set(sizes)
    assert trio.current_time() <= 5.0 + 2 * TICK_S


async def test_it_sleeps_while_nothing_runs(autojump_clock: MockClock, open_lab: Any) -> None:
    """An idle engine wakes nobody up."""
    async with open_lab(A) as lab:
        await lab.engine.chat(*QUESTION)
        await trio.sleep(1)
        looks = 0
        watchdog = lab.engine._runtime.streams.watchdog
        real = watchdog.look

        def look(workers: Any, now_s: float) -> None:
            nonlocal looks
            looks += 1
            real(workers, now_s)

        watchdog.look = look
        await trio.sleep(1_000)
        assert looks == 0
        await lab.engine.chat(*QUESTION)
        assert looks > 10


async def test_a_sleep_of_our_own_is_not_the_servers_fault(
    mock_clock: MockClock, open_lab: Any
) -> None:
    """A process that was stopped for a minute finds its streams as it left them."""
    mock_clock.autojump_threshold = 0
    async with open_lab(A, config=CONFIG) as lab:
        async with lab.engine.stream_chat(*QUESTION) as stream:
            await anext(stream)
            mock_clock.jump(60.0)
            assert len([chunk async for chunk in stream]) == 20
        assert len(stream.attempts) == 1
