"""A worker on a machine of a Ray cluster; see `links.Link`.

How far a machine's ``perf_counter_ns`` is from this one's is measured by asking it for the time, as
F. Cristian's algorithm does (Distributed Computing 3, 1989), so that no wall clock has to be right.
The quickest of `ROUNDS` answers bounds the error by half of what it took. Quartz clocks then part
by some 10 ms in ten minutes; a sample's own times are all of one clock.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

from triollama_adapters.loadtest.running.frames import FrameError, News, Order, frame, read_news
from triollama_adapters.loadtest.running.links import LinkLostError
from triollama_adapters.loadtest.running.ray_hand import TAKE_S
from triollama_adapters.ray.calls import result_of
from triollama_adapters.ray.errors import RayError, WorkerLostError
from triollama_adapters.ray.fleet import Machine, machine_of

__all__ = ["RayLink"]

ANSWER_S: Final = 30.0
"""How long a worker may take for a call, beyond what it waits by itself."""

PLACE_S: Final = 60.0
"""How long the cluster may take to place the workers; a new process needs a few seconds."""

ROUNDS: Final = 20
"""Questions for the time: each takes about a millisecond, and the first ones more."""


class RayLink:
    """A worker on a machine of the cluster; see `links.Link`.

    Args:
        actor: Ray's handle of a `RayHand`.

    Attributes:
        offset_ns: how far its clock is ahead of this process's.
        error_ns: how wrong that may be.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._frames = read_news()
        self._news: deque[News] = deque()
        self.offset_ns = 0
        self.error_ns = 0

    async def send(self, order: Order) -> None:
        """Tell it something; see `links.Link`."""
        await self._call(self._actor.order.remote(frame(order)), ANSWER_S)

    async def receive(self) -> News:
        """What it tells next; see `links.Link`."""
        while not self._news:
            data = await self._call(self._actor.take.remote(), TAKE_S + ANSWER_S)
            try:
                self._news.extend(self._frames.feed(data))
            except FrameError as error:
                raise LinkLostError(f"said what no worker says: {error}") from error
        return self._news.popleft()

    def on_its_clock(self, at_ns: int) -> int:
        """A moment of this process's clock on the machine's; see `links.Link`."""
        return at_ns + self.offset_ns

    async def compare_clocks(self) -> None:
        """Learn `offset_ns`.

        Raises:
            LinkLostError: it is not there any more.
        """
        self.error_ns = 1 << 62
        for _ in range(ROUNDS):
            asked_ns = time.perf_counter_ns()
            its_ns = await self._call(self._actor.clock_ns.remote(), ANSWER_S)
            answered_ns = time.perf_counter_ns()
            if (error_ns := (answered_ns - asked_ns) // 2) < self.error_ns:
                self.error_ns = error_ns
                self.offset_ns = its_ns - (asked_ns + answered_ns) // 2

    async def machine(self, ray: Any) -> Machine:
        """Where it runs.

        Raises:
            LinkLostError: it is not there any more, or was never placed.
        """
        hello = await self._call(self._actor.hello.remote(), PLACE_S)
        for node in ray.nodes():
            if node["NodeID"] == hello.machine:
                return machine_of(node)
        return Machine(hello.machine, ())

    def kill(self, ray: Any) -> None:
        """End it at once. Never waits."""
        with suppress(ray.exceptions.RayError, ValueError):  # it may be gone
            ray.kill(self._actor)

    async def _call(self, reference: Any, within_s: float) -> Any:
        try:
            return await result_of(reference, within_s=within_s)
        except WorkerLostError as lost:
            raise LinkLostError(f"is lost: {lost.why}") from lost
        except RayError as error:
            raise LinkLostError(f"failed: {error}") from error
