"""The outbox: requests that are made in one turn of the scheduler leave together.

Owns: what is to be sent, for less than a turn. A send wakes the server if it sleeps, and that costs
the sender more than making the request. Sent as soon as it is made, each request would find the
server asleep again, done with the one before. Of those that leave together, the first wakes it for
all.

Bounds: `TOGETHER_MAX` requests of `TOGETHER_BYTES_MAX` each; the last of these sends them all at
once, so that the server has work while many more are made. Larger ones are not put here.
"""

from __future__ import annotations

from typing import Protocol

import trio

TOGETHER_BYTES_MAX = 16 * 1024
"""What surely finds room in a socket's buffer, behind nothing else."""

TOGETHER_MAX = 32
"""A millisecond or two of making requests."""


class Sender(Protocol):
    """What has something to send."""

    def write(self, data: bytes) -> bytes:
        """Send what the kernel takes now; returns the rest."""

    async def write_rest(self, data: bytes) -> None:
        """Send the rest. Raises nothing: who reads the answer finds out."""


class Outbox:
    """Sends what is put into it, while `run` runs."""

    __slots__ = ("_nursery", "_task", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[tuple[Sender, bytes]] = []
        self._task: trio.lowlevel.Task | None = None
        self._nursery: trio.Nursery | None = None

    def put(self, sender: Sender, data: bytes) -> None:
        """Send this with all else that is put here in this turn. Never waits."""
        self._waiting.append((sender, data))
        if len(self._waiting) >= TOGETHER_MAX:
            self._send_all()
        elif self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Send at the end of each turn in which something was put here, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                while True:
                    await self._wait()
                    self._send_all()
            finally:
                self._nursery = None

    async def _wait(self) -> None:
        self._task = trio.lowlevel.current_task()

        def abort(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _send_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        for sender, data in waiting:
            rest = sender.write(data)
            if rest and self._nursery is not None:
                self._nursery.start_soon(sender.write_rest, rest)
