"""Ending a worker from outside: by its scope, by its exchange, or before it waits."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from triollama._errors import DeadlineExceededError, StallError, StreamCancelledError
from triollama.actors.streams.halt import Halt

STALL = StallError("stall_s", 1.0)
CANCEL = StreamCancelledError("the stream was cancelled")
LATE = DeadlineExceededError("the answer was not whole", limit_s=1.0)


class FakeExchange:
    """Notes what it is ended with."""

    def __init__(self) -> None:
        self.ended: list[Exception] = []

    def fail(self, error: Exception) -> None:
        """End it."""
        self.ended.append(error)


async def answer() -> str:
    """What comes at once."""
    await trio.lowlevel.checkpoint()
    return "x"


async def test_without_a_reason_nothing_ends(autojump_clock: trio.testing.MockClock) -> None:
    """The result of the wait is passed on."""
    halt = Halt()
    halt.check()
    assert await halt.guarded(answer) == "x"


@pytest.mark.parametrize("reason", [STALL, CANCEL])
async def test_what_is_guarded_ends_with_the_reason(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, reason: Any
) -> None:
    """At once, and only that wait."""
    halt = Halt()

    async def stop() -> None:
        await trio.sleep(1)
        halt.stop(reason)

    nursery.start_soon(stop)
    with pytest.raises(type(reason)) as caught:
        await halt.guarded(trio.sleep_forever)
    assert caught.value is reason
    assert trio.current_time() == 1
    await trio.sleep(1)


def test_without_a_scope_the_exchange_is_ended() -> None:
    """And by the first reason alone, but for a stall."""
    halt, exchange = Halt(), FakeExchange()
    halt.watch(exchange)  # type: ignore[arg-type]  # a fake
    for reason in (STALL, CANCEL, LATE, STALL):
        halt.stop(reason)
    assert exchange.ended == [STALL, CANCEL]
    assert halt.reason is CANCEL


def test_what_comes_too_late_for_a_wait_ends_the_exchange() -> None:
    """It came when the last wait had just ended; one that is over is left alone."""
    halt, first, second = Halt(), FakeExchange(), FakeExchange()
    halt.watch(first)  # type: ignore[arg-type]  # a fake
    halt.watch(None)
    halt.stop(CANCEL)
    halt.watch(second)  # type: ignore[arg-type]  # a fake
    assert (first.ended, second.ended) == ([], [CANCEL])


@pytest.mark.parametrize("reason", [CANCEL, LATE])
async def test_a_reason_that_came_earlier_stands(reason: Any) -> None:
    """What ends a request ends whatever it would wait for next."""
    halt = Halt()
    halt.stop(reason)
    for _ in range(2):
        with pytest.raises(type(reason)):
            halt.check()
        with pytest.raises(type(reason)):
            await halt.guarded(answer)


async def test_a_stall_that_came_too_late_is_forgotten() -> None:
    """It was meant for an attempt that had ended."""
    halt = Halt()
    halt.stop(STALL)
    assert await halt.guarded(answer) == "x"
    assert halt.reason is None


async def test_a_cancellation_from_around_passes() -> None:
    """It is not taken for the worker's own."""
    halt = Halt()
    with trio.CancelScope() as scope:
        scope.cancel()
        await halt.guarded(trio.sleep_forever)
    assert scope.cancelled_caught
    assert await halt.guarded(answer) == "x"
