"""A nursery that lasts as long as a block, and does not change what the block raises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

__all__ = ["open_background"]


@asynccontextmanager
async def open_background() -> AsyncIterator[trio.Nursery]:
    """A nursery for what runs beside a block; at the block's end it is cancelled.

    Raises:
        BaseException: what the block raised, as it is, in no group. Else what a task raised: as it
            is, if it is one error.
    """
    # Raised outside the nursery, which would wrap it in a group.
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except (Exception, KeyboardInterrupt, SystemExit) as raised:  # noqa: BLE001 - see above
                error = raised
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # What the block raised counts for more than how the rest ended.
        error = error or (group.exceptions[0] if len(group.exceptions) == 1 else group)
    if error is not None:
        raise error
