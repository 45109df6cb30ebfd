"""``python -m triollama_adapters.loadtest.running.worker``: a process of a load test.

It reads orders from standard input and tells news on standard output, both as `frames`. What else
it prints goes to standard error. When its input ends, so does it: no worker outlives its parent.
"""

from __future__ import annotations

import os
import signal
from typing import Final

import trio

from triollama_adapters.loadtest.running.frames import News, Order, frame, read_orders
from triollama_adapters.loadtest.running.generate import generate
from triollama_adapters.loadtest.running.hand import Load, work

__all__ = ["main"]

READ_BYTES: Final = 65_536

UNSENT_MAX: Final = 1_000
"""Messages that the parent has not taken; it takes them at once, unless it stands still."""

INPUT_FD: Final = 0
OUTPUT_FD: Final = 1
ERROR_FD: Final = 2


def main(load: Load = generate) -> None:
    """Work until the load is over.

    Args:
        load: makes it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent
    output = os.dup(OUTPUT_FD)
    os.dup2(ERROR_FD, OUTPUT_FD)  # what a library prints is no frame
    trio.run(_run, output, load)


async def _run(output: int, load: Load) -> None:
    to_hand, orders = trio.open_memory_channel[Order](UNSENT_MAX)
    to_parent, news = trio.open_memory_channel[News](UNSENT_MAX)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_read, to_hand)
        async with trio.open_nursery() as writing:
            writing.start_soon(_write, output, news)
            async with to_parent:
                await work(orders, to_parent.send_nowait, load=load)
        nursery.cancel_scope.cancel()


async def _read(to_hand: trio.MemorySendChannel[Order]) -> None:
    """Pass orders on until there can be no more."""
    frames = read_orders()
    async with to_hand:
        # In threads, because not every kind of pipe can be waited for otherwise.
        while data := await trio.to_thread.run_sync(
            os.read, INPUT_FD, READ_BYTES, abandon_on_cancel=True
        ):
            for order in frames.feed(data):
                await to_hand.send(order)


async def _write(output: int, news: trio.MemoryReceiveChannel[News]) -> None:
    """Tell news until there are no more, or nobody hears them."""
    async with news:
        async for each in news:
            try:
                await trio.to_thread.run_sync(_write_all, output, frame(each))
            except OSError:  # the parent is gone, which the end of its orders tells as well
                return


def _write_all(output: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(output, left) :]


if __name__ == "__main__":
    main()
