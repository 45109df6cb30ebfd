"""The tokenizers that are kept, the last used of them, by the digest of their model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from .errors import TokenizerError
from .tokenizer import Tokenizer

__all__ = ["TOKENIZERS_MAX", "Shelf"]

TOKENIZERS_MAX: Final = 8
"""A vocabulary of 128,000 tokens takes about 60 MB in memory."""


class Shelf:
    """Keeps tokenizers; one that is asked for by several tasks is built once.

    That a vocabulary is of no known kind is kept as well.

    Args:
        size: how many are kept; the one unused for longest goes first.
    """

    def __init__(self, size: int = TOKENIZERS_MAX) -> None:
        self._size = size
        self._kept: OrderedDict[str, Tokenizer | TokenizerError] = OrderedDict()
        self._locks: dict[str, trio.Lock] = {}

    def __len__(self) -> int:
        return len(self._kept)

    async def take(self, key: str, make: Callable[[], Awaitable[Tokenizer]]) -> Tokenizer:
        """The tokenizer of a key, made if it is not there.

        If cancelled while it is made, nothing is kept, and the next who asks begins anew.

        Raises:
            TokenizerError: its vocabulary is of no known kind.
        """
        if key not in self._kept:
            await self._make_once(key, make)
        self._kept.move_to_end(key)
        kept = self._kept[key]
        if isinstance(kept, TokenizerError):
            raise TokenizerError(kept.reason, model=kept.model)
        return kept

    async def _make_once(self, key: str, make: Callable[[], Awaitable[Tokenizer]]) -> None:
        lock = self._locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                if key not in self._kept:
                    await self._make(key, make)
        finally:
            if not lock.locked():  # nobody else waits for it
                self._locks.pop(key, None)

    async def _make(self, key: str, make: Callable[[], Awaitable[Tokenizer]]) -> None:
        made: Tokenizer | TokenizerError
        try:
            made = await make()
        except TokenizerError as error:
            made = error
        self._kept[key] = made
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
