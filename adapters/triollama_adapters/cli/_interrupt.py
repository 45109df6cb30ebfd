"""Ctrl-C and SIGTERM as one orderly stop, or as two: soon, then at once."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio

__all__ = ["STOP_SIGNALS", "run_until_stopped"]

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

StopSoon = Callable[[], float]
"""Asks the work to end by itself, and says how many seconds it may take to that."""


async def run_until_stopped(
    work: Callable[[], Awaitable[object]], stop_soon: StopSoon | None = None
) -> bool:
    """Run the work; Ctrl-C or SIGTERM cancels it, so that it can end in order.

    One more ends the process at once, in case the orderly end hangs.

    Args:
        work: what to run. Cancellation must make it end soon.
        stop_soon: called at the first signal; the work is then cancelled only by a second one, or
            when the time it gave is over. None: the first one cancels.

    Returns:
        True if a signal stopped it, false if it ended by itself.
    """
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            watch = _Watch(signals, nursery.cancel_scope, stop_soon)
            nursery.start_soon(watch.run)
            await work()
            nursery.cancel_scope.cancel()
    return watch.is_stopped


class _Watch:
    """Waits for a signal, or two, then cancels the scope."""

    def __init__(
        self, signals: AsyncIterator[int], scope: trio.CancelScope, stop_soon: StopSoon | None
    ) -> None:
        self._signals = signals
        self._scope = scope
        self._stop_soon = stop_soon
        self.is_stopped = False

    async def run(self) -> None:
        """Wait until the work is to be cancelled, or this is."""
        await anext(self._signals)
        self.is_stopped = True
        if self._stop_soon is not None:
            with trio.move_on_after(self._stop_soon()):
                await anext(self._signals)
        for number in STOP_SIGNALS:
            # The receiver puts the former handlers back when it closes.
            signal.signal(number, signal.SIG_DFL)
        self._scope.cancel()
