"""The streams actor: runs the workers and keeps the ledger of requests.

Owns: the nursery in which the workers of streams run, and the ledger: every request that was
accepted is waiting, running, or has ended in exactly one way.

`spawn` starts a worker in the nursery, for a stream that its reader reads meanwhile; `perform` runs
one in the caller's own task, for a caller who only wants the whole answer. Both are tracked alike.

When closing: new requests are refused, running ones get `grace_s`, then they end with
`EngineClosedError`.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from triollama._config import EngineConfig
from triollama._errors import EngineClosedError
from triollama.actors.streams.messages import Ended
from triollama.actors.streams.watchdog import Watchdog
from triollama.actors.streams.worker import Worker

STOP_S = 5.0
"""For workers that were told to stop to have stopped; they need two turns of the loop."""


@attrs.frozen
class StreamsStatistics:
    """The ledger of requests: ``accepted = done + failed + cancelled + waiting + running``.

    Attributes:
        accepted: requests taken on so far.
        done: answered whole.
        failed: ended with an error.
        cancelled: given up by their caller, or by the closing of the engine.
        waiting: without a lease at the moment.
        running: with one.
    """

    accepted: int
    done: int
    failed: int
    cancelled: int
    waiting: int
    running: int


class Streams:
    """Runs workers; see the module.

    Args:
        config: the clocks.
        is_down: whether an endpoint, by its name, does not answer probes.
    """

    def __init__(
        self, config: EngineConfig, is_down: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._config = config
        self._nursery: trio.Nursery | None = None
        self._workers: dict[Worker, None] = {}
        self._accepted = 0
        self._ended = dict.fromkeys(Ended, 0)
        self._is_closing = False
        self._idle = trio.Event()
        self._on_left = self._leave  # bound once, and not for each worker
        self.watchdog = Watchdog(lambda: self._workers, config, is_down)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Be there for workers until cancelled."""
        async with trio.open_nursery() as self._nursery:
            task_status.started()
            await trio.sleep_forever()

    def spawn(self, worker: Worker) -> None:
        """Run the worker in a task of its own.

        Raises:
            EngineClosedError: the engine is closing.
        """
        self._accept(worker)
        assert self._nursery is not None
        self._nursery.start_soon(worker.run)

    async def perform(self, worker: Worker) -> None:
        """Run the worker in this task. If cancelled, so is its request.

        Raises:
            EngineClosedError: the engine is closing.
        """
        self._accept(worker)
        await worker.run()

    async def close(self, grace_s: float) -> None:
        """Refuse new requests, and wait for the running ones, but no longer than `grace_s`."""
        self._is_closing = True
        with trio.move_on_after(grace_s):
            await self._wait_idle()

    def stop(self) -> None:
        """Refuse new requests, and tell the running ones to stop. Never waits."""
        self._is_closing = True
        for worker in self._workers:
            worker.stop(EngineClosedError("the engine was closed"))

    async def wait_stopped(self) -> None:
        """Wait, after `stop`, until nothing runs, but no longer than `STOP_S`."""
        with trio.move_on_after(STOP_S):
            await self._wait_idle()

    def check_open(self) -> None:
        """Whether requests are taken.

        Raises:
            EngineClosedError: no more.
        """
        if self._is_closing or self._nursery is None:
            raise EngineClosedError("the engine is closed")

    def statistics(self) -> StreamsStatistics:
        """A snapshot."""
        running = sum(worker.is_attempting for worker in self._workers)
        unended = sum(worker.ended is None for worker in self._workers)
        return StreamsStatistics(
            accepted=self._accepted,
            done=self._ended[Ended.DONE],
            failed=self._ended[Ended.FAILED],
            cancelled=self._ended[Ended.CANCELLED],
            waiting=unended - running,
            running=running,
        )

    def count_ended(self, ended: Ended) -> None:
        """A request has its outcome."""
        self._ended[ended] += 1

    def _accept(self, worker: Worker) -> None:
        self.check_open()
        self._accepted += 1
        self._workers[worker] = None
        worker.on_left = self._on_left
        self.watchdog.notice(worker)

    def _leave(self, worker: Worker) -> None:
        del self._workers[worker]
        if not self._workers:
            self._idle.set()

    async def _wait_idle(self) -> None:
        while self._workers:
            self._idle = trio.Event()
            await self._idle.wait()
