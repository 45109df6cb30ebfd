"""`Pump`: reads an asynchronous iterator ahead of a reader in another thread, a little.

Without it each item would cost the reader's thread a way to the loop and one back; with it only the
way back, and that only while the reader waits. When `AHEAD_MAX` items wait, the iterator is not
read, so that its own back-pressure holds what is behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NoReturn

import trio

from triollama import StreamRestartedError

__all__ = ["AHEAD_MAX", "END", "Failure", "Pump"]

AHEAD_MAX: Final = 32
"""Items that wait for the reader: enough that a burst from one read of a socket is one wake-up."""

AHEAD_LOW: Final = 16
"""Items left at which a pump that has stopped goes on."""

END: Final = object()
"""What is put after the last item."""


class Failure:
    """What is put in place of an item that could not be had.

    Args:
        error: what was raised.
        is_last: whether nothing comes after it.
    """

    __slots__ = ("_error", "_traceback", "is_last")

    def __init__(self, error: BaseException, *, is_last: bool = True) -> None:
        self._error = error
        # The frame of the pump tells nobody anything.
        traceback = error.__traceback__
        self._traceback = traceback.tb_next if traceback is not None else None
        self.is_last = is_last

    def throw(self) -> NoReturn:
        """Raise it, with the traceback that it had."""
        raise self._error.with_traceback(self._traceback)


class Pump:
    """See the module.

    Args:
        source: what is read.
        put: takes an item, a `Failure` or `END` to the reader; neither waits nor raises.
        waiting: how many items the reader has not taken.

    Attributes:
        is_full: whether the reader is to have `go_on` called in the loop, once it `has_room`.
    """

    __slots__ = ("_put", "_room", "_source", "_waiting", "is_full")

    def __init__(
        self,
        source: AsyncIterator[Any],
        put: Callable[[Any], object],
        waiting: Callable[[], int],
    ) -> None:
        self._source = source
        self._put = put
        self._waiting = waiting
        self._room = trio.Event()
        self.is_full = False

    @property
    def has_room(self) -> bool:
        """Whether the reader has nearly caught up."""
        return self._waiting() <= AHEAD_LOW

    def go_on(self) -> None:
        """Read on; to be called in the loop."""
        self._room.set()

    async def run(self) -> None:
        """Read until the end, or until cancelled: then no item is lost."""
        source, put = self._source, self._put
        while True:
            if self._waiting() >= AHEAD_MAX:
                await self._wait_room()
            try:
                item = await anext(source)
            except StopAsyncIteration:
                put(END)
                return
            except StreamRestartedError as error:
                put(Failure(error, is_last=False))  # the one error after which it goes on
            except Exception as error:  # noqa: BLE001 - raised where it is read
                put(Failure(error))
                return
            else:
                put(item)

    async def _wait_room(self) -> None:
        self._room = trio.Event()
        self.is_full = True
        if not self.has_room:  # the reader may have looked before it was said
            await self._room.wait()
        self.is_full = False
