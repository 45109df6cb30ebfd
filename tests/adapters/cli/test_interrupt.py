"""Ctrl-C and SIGTERM stop the work in order."""

import os
import signal

import pytest
import trio

from triollama_adapters.cli._interrupt import STOP_SIGNALS, run_until_stopped


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_a_signal_cancels_the_work(number: int) -> None:
    """The work sees a cancellation, may clean up, and the program is told."""
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    assert await run_until_stopped(work)
    assert ended == [True]


async def test_work_that_ends_by_itself_is_not_stopped() -> None:
    """Without a signal the result says so, and the handlers are as before."""
    before = [signal.getsignal(number) for number in STOP_SIGNALS]

    async def work() -> None:
        await trio.lowlevel.checkpoint()

    assert not await run_until_stopped(work)
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


async def test_a_second_signal_would_end_the_process() -> None:
    """Once stopping has begun, the system's own handling is in place until the work has ended."""
    seen = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await trio.sleep_forever()
        finally:
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    assert await run_until_stopped(work)
    assert seen == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) == before
