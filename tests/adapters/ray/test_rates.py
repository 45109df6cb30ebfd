"""Rate limits of all workers together."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from triollama import InvalidRequestError, RateLimit
from triollama.api import ChatFold, decode_chat_chunk
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.ray.rates import Rates, of_one_worker

ASK = Ask("chat", {"model": "m", "messages": [], "options": {"num_predict": 50}})


def answered(tokens: int) -> Asked:
    """An answer of so many tokens."""
    fold = ChatFold()
    line = b'{"message":{"content":"yes"},"done":true,"eval_count":%d}' % tokens
    fold.add(decode_chat_chunk(line, 1))
    return Asked(fold.result(), None, None, 1)


def test_only_a_worker_knows_the_endpoint() -> None:
    """So limits of endpoints are divided, and all others are not its business."""
    limits = [
        RateLimit("engine", requests_per_s=10),
        RateLimit("endpoint", "gpu-1", requests_per_s=10, tokens_per_min=600),
    ]
    [part] = of_one_worker(limits, 4)
    assert (part.key, part.requests_per_s, part.tokens_per_min) == ("gpu-1", 2.5, 150)


async def test_rows_have_their_turn(autojump_clock: MockClock) -> None:
    """Ten a second, however many wait."""
    rates = Rates([RateLimit("engine", requests_per_s=10, burst_s=0.1)])
    began_s = trio.current_time()

    async def one() -> None:
        rates.settle(await rates.wait(ASK, 100), answered(3))

    async with trio.open_nursery() as nursery:
        for _ in range(31):
            nursery.start_soon(one)
    assert trio.current_time() - began_s == pytest.approx(3.0)


async def test_tokens_count_as_they_were(autojump_clock: MockClock) -> None:
    """What was reserved and not needed is given back."""
    rates = Rates([RateLimit("model", "m", tokens_per_min=600)])
    began_s = trio.current_time()
    for _ in range(20):
        rates.settle(await rates.wait(ASK, 100), answered(3))
    assert trio.current_time() == began_s
    with pytest.raises(InvalidRequestError):
        await rates.wait(ASK, 10_000)


async def test_without_limits_nobody_waits() -> None:
    """Nor is anything kept."""
    rates = Rates([RateLimit("endpoint", requests_per_s=0.001)])
    for _ in range(100):
        assert await rates.wait(ASK, 100) is None
    rates.settle(None, None)
