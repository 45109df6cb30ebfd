"""The texts, as the caller gives them, read by a task of their own.

A text that is waited for is never lost: it is the task that reads which waits, and whoever makes
batches takes what is there.
"""

from __future__ import annotations

import math
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Final

import trio

from triollama._errors import InvalidRequestError

__all__ = ["NOTHING", "Incoming", "Texts", "check_texts"]

Texts = Iterable[str] | AsyncIterable[str]
"""A list, a generator, an open file, an asynchronous generator, …"""

READ_AHEAD_TEXTS: Final = 16
"""Texts that are read before a batch asks for them."""

CLOSE_S: Final = 2.0
"""For an asynchronous generator to close what it holds, when a run is left early."""

TURN_S: Final = 0.005
"""After so long in the caller's iterable other tasks have their turn: between two texts."""

NOTHING: Final = object()
"""There is no text now, or none any more."""


def check_texts(texts: object) -> None:
    """Refuse what only looks like several texts.

    Raises:
        InvalidRequestError: one text, bytes, a mapping, or nothing that can be iterated.
    """
    if isinstance(texts, str):
        raise InvalidRequestError("texts is one str; for a single text give [text]")
    is_several = isinstance(texts, Iterable | AsyncIterable)
    if not is_several or isinstance(texts, bytes | bytearray | memoryview | Mapping):
        found = type(texts).__name__
        raise InvalidRequestError(f"texts must be an iterable of str, async or not, not {found}")


class Incoming:
    """Texts on their way from what the caller gave to the next batch.

    Attributes:
        error: what the caller's iterable raised; None if nothing.
        is_over: all texts were taken, or ``error`` came after them.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._send, self._receive = trio.open_memory_channel[Any](READ_AHEAD_TEXTS)
        self._next: Any = NOTHING
        self.error: Exception | None = None
        self.is_over = False

    async def read(self) -> None:
        """Read all texts, each when there is room for it."""
        with self._send:
            try:
                if isinstance(self._texts, AsyncIterable):
                    await self._read_async(aiter(self._texts))
                else:
                    await self._read_plain(iter(self._texts))
            except Exception as error:  # noqa: BLE001 - the caller's own; raised in its place
                self.error = error

    async def peek(self, until_s: float) -> Any:
        """The next text, which stays the next one; `NOTHING` if there is none by then.

        Args:
            until_s: on trio's clock. Of a plain iterable each text is there at once.
        """
        if self._next is NOTHING and not self.is_over:
            try:
                self._next = self._receive.receive_nowait()
            except trio.WouldBlock:
                await self._wait(until_s)
            except trio.EndOfChannel:
                self.is_over = True
        return self._next

    def drop(self) -> None:
        """The next text is taken."""
        self._next = NOTHING

    async def _wait(self, until_s: float) -> None:
        if not isinstance(self._texts, AsyncIterable):
            until_s = math.inf
        try:
            with trio.move_on_at(until_s):
                self._next = await self._receive.receive()
        except trio.EndOfChannel:
            self.is_over = True

    async def _read_async(self, source: AsyncIterator[Any]) -> None:
        try:
            async for text in source:
                await self._send.send(text)
        finally:
            # A generator that is left half-way would be closed by the garbage collector, some time.
            # Anything else, such as a file or a channel, is closed by who opened it.
            if isinstance(source, AsyncGenerator):
                with trio.move_on_after(CLOSE_S, shield=True):
                    await source.aclose()

    async def _read_plain(self, source: Iterator[Any]) -> None:
        gave_way_s = time.perf_counter()
        for text in source:
            try:
                self._send.send_nowait(text)
            except trio.WouldBlock:
                await self._send.send(text)
            else:
                if time.perf_counter() - gave_way_s < TURN_S:
                    continue
                await trio.lowlevel.checkpoint()
            gave_way_s = time.perf_counter()
