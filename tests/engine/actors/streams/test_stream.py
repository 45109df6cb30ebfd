"""The stream as its reader sees it: where it is in line."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import trio
from trio.testing import MockClock

from triollama import EndpointConfig, EngineConfig

A = "http://a:11434"
CONFIG = EngineConfig(first_token_s=60.0)
ONE_AT_A_TIME = EndpointConfig(A, num_parallel=1)


async def test_place_in_line(open_lab: Any, autojump_clock: MockClock) -> None:
    """Who waits sees how many are before it; priority goes first; who is served is in no line."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.engine.update_endpoint(ONE_AT_A_TIME)
        async with AsyncExitStack() as stack:
            streams = []
            for priority in (0, 0, 0, 5):
                opening = lab.engine.stream_chat("llama3.2", "why?", priority=priority)
                streams.append(await stack.enter_async_context(opening))
                await trio.sleep(0.01)
            first, second, third, urgent = streams
            places = [each.place for each in (first, urgent, second, third)]
            assert places == [None, 0, 1, 2]
            assert third.predicted_wait_s == 0.0  # nothing has ended yet to predict it from
            assert first.predicted_wait_s is None
            await first.collect()
            assert [each.place for each in (urgent, second, third)] == [None, 0, 1]


async def test_predicted_wait(open_lab: Any, autojump_clock: MockClock) -> None:
    """After some answers of 2 s each, the third in line will wait about three times that."""
    async with open_lab(A, config=CONFIG) as lab:
        lab.engine.update_endpoint(ONE_AT_A_TIME)
        for number in range(10):
            await lab.engine.chat("llama3.2", f"question {number}")
        async with trio.open_nursery() as asking:
            for number in range(3):
                asking.start_soon(lab.engine.chat, "llama3.2", f"before {number}")
            await trio.sleep(0.1)
            async with lab.engine.stream_chat("llama3.2", "why?") as stream:
                await trio.sleep(0.1)
                now = stream.statistics()
                assert now.place == stream.place == 2
                assert stream.predicted_wait_s is not None
                assert 5.5 < stream.predicted_wait_s < 6.5
                assert now.predicted_wait_s == stream.predicted_wait_s
            assert stream.place is None
