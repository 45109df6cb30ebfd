"""Texts that a program gives one by one, and that are not made for the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import trio

__all__ = ["reading_in_threads"]

_END: Final = object()


def reading_in_threads(texts: Iterable[Any]) -> Iterable[Any] | AsyncIterator[Any]:
    """An iterable whose items are made in a thread, so that the loop is not held up by them.

    What is all there, and what makes no sense, is given back as it is.
    """
    if isinstance(texts, Collection | Mapping | str | bytes):
        return texts
    return _read(iter(texts))


async def _read(texts: Iterator[Any]) -> AsyncIterator[Any]:
    # One by one: whoever gives them may be slow, and none is to wait for the next one. A way to a
    # thread takes some 50 microseconds, much less than the vector of a text.
    while True:
        text = await trio.to_thread.run_sync(next, texts, _END, abandon_on_cancel=True)
        if text is _END:
            return
        yield text
