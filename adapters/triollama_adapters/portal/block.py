"""`Block`: an ``async with`` block of the engine's, entered and left by other threads.

One task enters it, waits, and leaves it, because a block may hold a nursery, which is bound to its
task. If that task is cancelled, or the loop ends, the block is left as well.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import trio

from triollama_adapters.portal.job import Job
from triollama_adapters.portal.loop import Portal

__all__ = ["Block", "Lease"]

V = TypeVar("V")


class Block(Generic[V]):
    """One block.

    Args:
        manager: the block.
        wake: told when it was entered, and when it was left; neither waits nor raises.

    Attributes:
        entered: ends with what the block gives; is never handed in.
        task: the whole, from entering to having left; is to be handed in. Where entering fails, it
            ends, and ``entered`` does not.
        reader: what reads ahead in this block, and ends with it.
    """

    def __init__(self, manager: AbstractAsyncContextManager[V], wake: Callable[[], object]) -> None:
        self._manager = manager
        self._leaving = trio.Event()
        self.entered: Job[V] = Job(manager.__aenter__, wake)
        self.task: Job[None] = Job(self._run, wake)
        self.reader: Job[Any] | None = None

    @property
    def is_entered(self) -> bool:
        """Whether entering has ended, well or not."""
        return self.entered.is_done or self.task.is_done

    def value(self) -> V:
        """What the block gave.

        Raises:
            BaseException: what entering raised.
        """
        if not self.entered.is_done:
            self.task.result()
        return self.entered.result()

    def leave(self) -> None:
        """Leave it; to be called in the loop."""
        if self.reader is not None:
            self.reader.cancel()
        self._leaving.set()

    async def _run(self) -> None:
        manager = self._manager
        value = await manager.__aenter__()
        try:
            self.entered.succeed(value)
            await self._leaving.wait()
        except trio.Cancelled:  # noqa: ASYNC103 - see below
            # Of this task; or of the block's own nursery, whose work is done: then nothing outside
            # the block is cancelled.
            pass
        # The engine's blocks shield what they have to do to the end, and bound it.
        await manager.__aexit__(None, None, None)
        await trio.lowlevel.checkpoint_if_cancelled()


class Lease:
    """Leaves a block when nobody holds it any more: of a generator that is dropped, for instance.

    Args:
        portal: where the block is.
        block: the block.
    """

    __slots__ = ("block", "portal")

    def __init__(self, portal: Portal, block: Block[Any]) -> None:
        self.portal = portal
        self.block = block

    def __del__(self) -> None:
        if not self.block.task.is_done:
            self.portal.soon(self.block.leave)
