"""The watchdog: the clocks of all running requests, kept by one task.

Owns: for each attempt how much of its answer had come at the last look, and since when nothing did
(`Quiet`). So no chunk pays for a cancel scope or a timer; a clock is exact to `TICK_S`.

`overdue` decides, without IO; the task looks every `TICK_S` while anything runs, and sleeps
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import trio

from triollama._config import EngineConfig
from triollama._errors import (
    DeadlineExceededError,
    StallError,
    StreamCancelledError,
    TriollamaError,
)
from triollama.actors.streams.messages import Quiet
from triollama.actors.streams.worker import Worker

TICK_S = 0.1
"""Between two looks, each of which goes through all running requests."""


def overdue(
    quiet: Quiet, config: EngineConfig, now_s: float, *, is_whole: bool
) -> TriollamaError | None:
    """Which clock of an attempt has run out, if any.

    Args:
        quiet: what is known of the attempt, up to date.
        config: the clocks.
        now_s: the time on the clock of `Quiet.since_s`.
        is_whole: whether only the end of the body is missing.
    """
    quiet_s = now_s - quiet.since_s
    if is_whole:
        # The connection is not worth a longer wait than a new one would cost.
        return StreamCancelledError("the answer is whole") if quiet_s > config.linger_s else None
    if quiet.has_begun:
        return StallError("stall_s", config.stall_s) if quiet_s > config.stall_s else None
    is_late = quiet_s > config.first_token_s
    return StallError("first_token_s", config.first_token_s) if is_late else None


class Watchdog:
    """Ends attempts and requests whose clocks have run out.

    Args:
        running: gives the workers to look at.
        config: the clocks.
    """

    def __init__(self, running: Callable[[], Collection[Worker]], config: EngineConfig) -> None:
        self._running = running
        self._config = config
        self._begun = trio.Event()

    def notice(self) -> None:
        """Something runs now. Cheap, to be called for every request."""
        if not self._begun.is_set():
            self._begun.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look every `TICK_S` until cancelled."""
        task_status.started()
        while True:
            await self._begun.wait()
            if not self._running():
                self._begun = trio.Event()
                continue
            self.look(trio.current_time())
            await trio.sleep(TICK_S)

    def look(self, now_s: float) -> None:
        """Look at every running request once."""
        for worker in self._running():
            quiet = worker.quiet
            received_bytes = worker.inflow.received_bytes
            if received_bytes != quiet.received_bytes:  # nearly every stream, at nearly every look
                quiet.received_bytes = received_bytes
                quiet.has_begun = True
                quiet.since_s = now_s
                if now_s < worker.terms.deadline_s:
                    continue
            self._look_closer(worker, now_s)

    def _look_closer(self, worker: Worker, now_s: float) -> None:
        quiet = worker.quiet
        error: TriollamaError | None = None
        if worker.ended is None and now_s >= worker.terms.deadline_s:
            limit_s = worker.terms.limit_s
            error = DeadlineExceededError("the answer was not whole", limit_s=limit_s)
        elif worker.inflow.is_paused:
            quiet.since_s = now_s  # nobody reads: the server is not to blame
        elif worker.is_attempting or worker.ended is not None:
            error = overdue(quiet, self._config, now_s, is_whole=worker.inflow.is_whole)
        if error is not None:
            worker.stop(error)
