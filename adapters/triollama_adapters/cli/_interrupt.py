"""Ctrl-C and SIGTERM as one orderly stop."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio

__all__ = ["STOP_SIGNALS", "run_until_stopped"]

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


async def run_until_stopped(work: Callable[[], Awaitable[object]]) -> bool:
    """Run the work; the first Ctrl-C or SIGTERM cancels it, so that it can end in order.

    A second one ends the process at once, in case the orderly end hangs.

    Args:
        work: what to run. Cancellation must make it end soon.

    Returns:
        True if a signal stopped it, false if it ended by itself.
    """
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            watch = _Watch(signals, nursery.cancel_scope)
            nursery.start_soon(watch.run)
            await work()
            nursery.cancel_scope.cancel()
    return watch.is_stopped


class _Watch:
    """Waits for a signal, then cancels the scope."""

    def __init__(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        self._signals = signals
        self._scope = scope
        self.is_stopped = False

    async def run(self) -> None:
        """Wait until a signal has come or this is cancelled."""
        await anext(self._signals)
        self.is_stopped = True
        for number in STOP_SIGNALS:
            # The receiver puts the former handlers back when it closes.
            signal.signal(number, signal.SIG_DFL)
        self._scope.cancel()
