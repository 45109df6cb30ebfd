"""A trio loop in a thread of its own, for processes that belong to others, such as Ray's."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

__all__ = ["LoopThread"]

T = TypeVar("T")

END_S: Final = 10.0
"""How long the loop may take to close what it has open."""


class LoopThread:
    """A running loop. To be closed; a process that ends without that ends the thread, too.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._is_ready = threading.Event()
        self._token: trio.lowlevel.TrioToken
        self._nursery: trio.Nursery
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._is_ready.wait()

    @property
    def failure(self) -> BaseException | None:
        """What ended the loop; None while it runs, or if it was closed."""
        return self._failure

    def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in the loop and wait for it.

        Raises:
            RunFinishedError: the loop has ended.
            Cancelled: it ended meanwhile.
        """
        return trio.from_thread.run(work, trio_token=self._token)

    def soon(self, work: Callable[[], object]) -> None:
        """Call something in the loop. Never waits.

        Raises:
            RunFinishedError: the loop has ended.
        """
        self._token.run_sync_soon(work)

    def begin(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run something in the loop until it ends or the loop is closed; to be called in the loop.

        What it raises ends the loop, and is then its `failure`.
        """
        self._nursery.start_soon(work, *arguments)

    def close(self) -> None:
        """Cancel all that runs in the loop, and wait until it has ended, but `END_S` at most."""
        try:
            self.soon(self._nursery.cancel_scope.cancel)
        except trio.RunFinishedError:
            return
        self._thread.join(END_S)

    def _run(self) -> None:
        try:
            trio.run(self._hold)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - told to whoever asks
            self._failure = error
        finally:
            self._is_ready.set()

    async def _hold(self) -> None:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._token = trio.lowlevel.current_trio_token()
            self._is_ready.set()
            await trio.sleep_forever()
