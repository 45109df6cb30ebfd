"""The connections actor: owns the engine's transports.

It closes connections that were idle for too long, and, when it is stopped, all of them. The
transports themselves are used by the workers directly. When it crashes they stay open, since it is
started again.
"""

from __future__ import annotations

from collections.abc import Collection

import trio

from triollama.wire.transport import WireTransport

SWEEPS_PER_IDLE_TIME = 4
"""An idle connection is closed at most a quarter later than configured."""


class Connections:
    """Closes what is not used.

    Args:
        transports: the engine's own; one that the caller gave is the caller's to close.
        idle_s: see `EngineConfig.idle_s`.
    """

    def __init__(self, transports: Collection[WireTransport], idle_s: float) -> None:
        self._transports = transports
        self._interval_s = idle_s / SWEEPS_PER_IDLE_TIME

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Sweep now and then until cancelled, then close everything."""
        task_status.started()
        try:
            while True:
                await trio.sleep(self._interval_s)
                for transport in self._transports:
                    transport.close_expired()
        except trio.Cancelled:
            for transport in self._transports:
                transport.close_nowait()
            raise
