"""Rows that a program gives: any iterable, any asynchronous one, or a function that gives one.

One task or one thread iterates, from the first row to the last: so an iterator may hold what
belongs to its thread, as a cursor of SQLite, and an asynchronous generator may hold cancel scopes.
"""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager
from typing import Any, Final

import trio

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.input.handoff import Handoff
from triollama_adapters.batch.input.objects import ObjectRecord, record_of
from triollama_adapters.batch.input.plan import Format

__all__ = ["CLOSE_S", "ITEMS_AHEAD_MAX", "Items", "ItemsFeed", "open_items"]

Items = Iterable[Any] | AsyncIterable[Any] | Callable[[], Iterable[Any] | AsyncIterable[Any]]

ITEMS_AHEAD_MAX: Final = 256
"""Rows that are taken before they are needed: a thread's hand-over takes some 0.1 ms at times."""

CLOSE_S: Final = 1.0
"""How long a thread that is in the iterator may take to return, when no more is wanted."""


class ItemsFeed:
    """Rows of a program. Made by `open_items`.

    Attributes:
        is_in_thread: whether a thread iterates.
    """

    def __init__(self, items: Items, name: str, format_: Format | None) -> None:
        self.name = name
        self.format = format_
        self.columns: Sequence[str] | None = None
        self.size_bytes: int | None = None
        self.read_bytes = 0
        self._items = items
        self._handoff: Handoff[ObjectRecord] = Handoff(ITEMS_AHEAD_MAX)
        self.is_in_thread = False
        self._count = 0
        self._failure: Exception | None = None

    async def read(self) -> Sequence[ObjectRecord] | None:
        """See `Feed`.

        Raises:
            InputError: the iterator raised something, which is the cause.
        """
        records = await self._handoff.take(ITEMS_AHEAD_MAX)
        if records is None and self._failure is not None:
            raise InputError(
                f"the rows of the program ended after {self._count:,} with "
                f"{type(self._failure).__name__}"
            ) from self._failure
        return records

    async def run(self) -> None:
        """Iterate, until the end or `close`."""
        items: Any = self._items
        try:
            if inspect.isasyncgenfunction(items):
                items = items()
            if not isinstance(items, AsyncIterable):
                self.is_in_thread = True
                items = await trio.to_thread.run_sync(
                    self._iterate, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
                )
                self.is_in_thread = False
            if items is not None:
                await self._iterate_async(items)
        finally:
            self._handoff.end()

    def close(self) -> None:
        """Want no more. Harmless when repeated."""
        self._handoff.close()

    def _iterate(self) -> AsyncIterable[Any] | None:
        """Iterate in the thread; what turns out to be asynchronous is given back."""
        try:
            items: Any = self._items
            if not isinstance(items, Iterable):
                items = items()
            if isinstance(items, AsyncIterable):
                return items
            self._put_all(iter(items))
        except Exception as error:  # noqa: BLE001 - the program's own; it is told by `read`
            self._failure = error
        return None

    def _put_all(self, items: Iterator[Any]) -> None:
        is_wanted = True
        try:
            while is_wanted:
                try:
                    item = next(items)
                except StopIteration:
                    return
                is_wanted = self._handoff.put(self._record(item))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    async def _iterate_async(self, items: AsyncIterable[Any]) -> None:
        # A generator may hold scopes of its own: the one that shields its end must be around them.
        with trio.CancelScope() as scope:
            iterator = aiter(items)
            try:
                async for item in iterator:
                    await self._handoff.put_soon(self._record(item))
            except Exception as error:  # noqa: BLE001 - the program's own; it is told by `read`
                self._failure = error
            finally:
                scope.shield = True
                scope.deadline = trio.current_time() + CLOSE_S
                if isinstance(iterator, AsyncGenerator):
                    await iterator.aclose()

    def _record(self, item: object) -> ObjectRecord:
        self._count += 1
        return record_of(self._count - 1, "row", item)


@asynccontextmanager
async def open_items(items: Items, name: str, format_: Format | None) -> AsyncIterator[ItemsFeed]:
    """Begin to take the rows of a program. What the block raises is raised as it is.

    Args:
        items: see `open_source`.
        name: what they are called in messages.
        format_: what they are; None if only they tell.
    """
    feed = ItemsFeed(items, name, format_)
    # Raised outside the nursery, which would wrap it in a group.
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run)
        try:
            yield feed
        except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - see above
            raised = error
        finally:
            feed.close()
        within_s = 0.0 if raised is not None or not feed.is_in_thread else CLOSE_S
        nursery.cancel_scope.deadline = trio.current_time() + within_s
    if raised is not None:
        raise raised
