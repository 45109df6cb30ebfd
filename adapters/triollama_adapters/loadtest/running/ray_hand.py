"""A worker of a load test in a process of Ray's; see `hand`.

Its methods are calls of the driver: `hello` and `clock_ns` at any time, `order` one at a time, and
`take` one at a time. When it is full: news wait in it until they are taken, `NEWS_MAX` at most, and
the driver always has a `take` under way. When its loop fails, `take` raises why.
"""

from __future__ import annotations

import os
import queue
import time
from contextlib import suppress
from functools import partial
from typing import Final

import attrs
import trio

from triollama_adapters.loadtest.running.frames import News, Order, frame, read_orders
from triollama_adapters.loadtest.running.hand import work
from triollama_adapters.ray.calls import ray_module
from triollama_adapters.ray.loop_thread import LoopThread

__all__ = ["CALLS_MAX", "TAKE_S", "HandHello", "RayHand"]

CALLS_MAX: Final = 4
"""Calls at a time: one `take`, one `order`, and two to spare."""

TAKE_S: Final = 5.0
"""How long `take` waits for news; then it tells only that the worker lives."""

TAKE_BYTES_MAX: Final = 4 << 20
"""Of one answer, unless a single message is longer."""

ORDERS_MAX: Final = 100

NEWS_MAX: Final = 10_000
"""News that wait to be taken; a driver that left so many lie is gone, and the load ends."""


@attrs.frozen
class HandHello:
    """Who a worker is.

    Attributes:
        machine: Ray's id of the node that it runs on.
        pid: its process there.
    """

    machine: str
    pid: int


class RayHand:
    """The actor. Ray makes it, in a process of its own.

    None of its methods may be a coroutine function: Ray would then run all of them in one asyncio
    loop, where `take` holds up the others.
    """

    def __init__(self) -> None:
        self._news: queue.Queue[News] = queue.Queue(NEWS_MAX)
        self._orders = read_orders()
        self._loop = LoopThread("triollama-load")
        self._to_hand, orders = trio.open_memory_channel[Order](ORDERS_MAX)
        self._loop.soon(lambda: self._loop.begin(work, orders, self._news.put_nowait))

    def hello(self) -> HandHello:
        """Who it is."""
        return HandHello(ray_module().get_runtime_context().get_node_id(), os.getpid())

    def clock_ns(self) -> int:
        """Its ``perf_counter_ns``, now."""
        return time.perf_counter_ns()

    def order(self, data: bytes) -> None:
        """Tell it something.

        Args:
            data: frames of orders.
        """
        for order in self._orders.feed(data):
            self._loop.soon(partial(self._to_hand.send_nowait, order))

    def take(self) -> bytes:
        """Frames of news, or nothing if there were none for `TAKE_S`.

        Raises:
            RuntimeError: its loop has ended.
        """
        frames: list[bytes] = []
        with suppress(queue.Empty):
            frames.append(frame(self._news.get(timeout=TAKE_S)))
            while sum(map(len, frames)) < TAKE_BYTES_MAX:
                frames.append(frame(self._news.get_nowait()))
        if not frames and self._loop.failure is not None:
            raise RuntimeError(f"its loop ended: {self._loop.failure!r}")
        return b"".join(frames)
