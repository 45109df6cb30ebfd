"""Outcomes that come in any order, given on in the order of the input if that is wanted. No IO."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["InOrder"]

T = TypeVar("T")


class InOrder(Generic[T]):
    """Holds back what comes before its turn.

    Args:
        is_kept: whether the order is kept; if not, everything is given on as it comes.

    """

    def __init__(self, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._next = 0
        self._waiting: dict[int, T] = {}

    def add(self, place: int, item: T) -> list[T]:
        """Take one, and give those whose turn it is now.

        Args:
            place: which one it is, from 0; each comes once.
            item: what is given on.
        """
        if not self._is_kept:
            return [item]
        self._waiting[place] = item
        ready = []
        while self._next in self._waiting:
            ready.append(self._waiting.pop(self._next))
            self._next += 1
        return ready
