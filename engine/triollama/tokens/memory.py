"""Remembering what a function gave for a text; words come again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["Memory"]

_WORDS_MAX: Final = 50_000
"""A few megabytes. A language's everyday words are fewer."""

_CHARACTERS_MAX: Final = 64
"""A longer word seldom comes twice."""

T = TypeVar("T")


class Memory(Generic[T]):
    """What a function gave, by text; forgotten all at once when it is too much.

    May be used from several threads: the worst is that something is worked out twice.
    """

    def __init__(self, work_out: Callable[[str], T]) -> None:
        self._work_out = work_out
        self._known: dict[str, T] = {}

    def recall(self, text: str) -> T:
        """What the function gives for a text."""
        known = self._known.get(text)
        if known is not None:
            return known
        made = self._work_out(text)
        if len(text) <= _CHARACTERS_MAX:
            if len(self._known) >= _WORDS_MAX:
                self._known = {}
            self._known[text] = made
        return made
