"""Ending a worker from outside, whatever it waits for just then.

A worker that waits for nothing but an answer has its exchange noted here, and that is ended. All
other waits go through `Halt.guarded`, in a cancel scope: making one costs as much as choosing an
endpoint, so an answer goes without.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from triollama._errors import StallError, TriollamaError
from triollama.wire.exchange import Exchange

T = TypeVar("T")


class Halt:
    """Why one worker is to end, if it is.

    Attributes:
        reason: why; None as long as it is not to end.
    """

    __slots__ = ("_exchange", "_scope", "reason")

    def __init__(self) -> None:
        self.reason: TriollamaError | None = None
        self._exchange: Exchange | None = None
        self._scope: trio.CancelScope | None = None

    def stop(self, reason: TriollamaError) -> None:
        """End what is waited for. Never waits.

        The first reason counts, but for a stall: that ends an attempt, the others the request.
        """
        if self.reason is not None and not isinstance(self.reason, StallError):
            return
        self.reason = reason
        if self._scope is not None:
            self._scope.cancel()
        elif self._exchange is not None:
            self._exchange.fail(reason)

    def watch(self, exchange: Exchange | None) -> None:
        """From now on an exchange is all that is waited for; None when it has ended."""
        self._exchange = exchange
        if exchange is not None and self.reason is not None:
            exchange.fail(self.reason)  # it came when the last wait had just ended

    def check(self) -> None:
        """Raise the reason, if there is one. To be called before each wait."""
        if isinstance(self.reason, StallError):
            self.reason = None  # it came when the attempt that it was meant for had just ended
        if self.reason is not None:
            raise self.reason

    async def guarded(self, wait: Callable[[], Awaitable[T]]) -> T:
        """Wait for something; raises the reason when `stop` ends that."""
        self.check()
        try:
            with trio.CancelScope() as self._scope:
                return await wait()
        finally:
            self._scope = None
        assert self.reason is not None, "nobody else cancels this scope"
        raise self.reason
