"""`Bell`: how a thread waits for a job, and `call_plain`, for what takes no time.

A wait ends early by whatever a signal's handler raises: Ctrl-C first of all.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from triollama_adapters.portal.job import Errand
from triollama_adapters.portal.loop import Portal

__all__ = ["Bell", "call_plain", "wait_s_until"]

T = TypeVar("T")

POLL_S: Final = 0.1
"""On Windows a thread that waits for a lock does not hear Ctrl-C: it looks up as often as this."""


class Bell:
    """Wakes one thread. It may ring more often than it is waited for."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake who waits, or who will."""
        with suppress(RuntimeError):  # it has been rung before
            self._lock.release()

    def wait(self, is_done: Callable[[], bool], until_s: float | None = None) -> bool:
        """Wait until that is so; false if it is not by then.

        Args:
            is_done: asked at first and after each ring.
            until_s: on the clock of `time.monotonic`, or None.
        """
        while not is_done():
            limit_s = wait_s_until(until_s)
            is_rung = self._lock.acquire(timeout=limit_s)
            if not is_rung and until_s is not None and time.monotonic() >= until_s:
                return is_done()
        return True


def wait_s_until(until_s: float | None) -> float:
    """How long one wait for a lock may take; -1 is for ever."""
    limit_s = -1.0
    if until_s is not None:
        limit_s = min(max(0.0, until_s - time.monotonic()), threading.TIMEOUT_MAX)
    if sys.platform == "win32":
        limit_s = POLL_S if limit_s < 0 else min(limit_s, POLL_S)
    return limit_s


def call_plain(portal: Portal, do: Callable[[], T]) -> T:
    """Call a function in the loop's thread, where nothing else runs meanwhile.

    It is for what does not wait there. In that thread it is called at once, and also where the loop
    is over: what a stream tells of itself can be asked for then as well.

    Raises:
        EngineClosedError: it needs the loop, which is over.
    """
    if portal.is_here or portal.is_over:
        return _call_outside(portal, do)
    bell = Bell()
    errand = Errand(do, bell.ring)
    portal.submit(errand)
    bell.wait(lambda: errand.is_done)
    return errand.result()


def _call_outside(portal: Portal, do: Callable[[], T]) -> T:
    try:
        return do()
    except RuntimeError:
        if portal.is_here:
            raise
        raise portal.closed_error() from None  # trio says that it does not run
