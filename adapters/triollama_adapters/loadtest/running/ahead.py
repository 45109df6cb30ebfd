"""Sessions that are made before they are due: a burst must not wait for its prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from triollama_adapters.loadtest.sessions import Session

__all__ = ["AHEAD", "SessionsAhead"]

AHEAD: Final = 1_000
"""Sessions made beforehand; a prompt of 200 tokens is a kilobyte."""


class SessionsAhead:
    """The sessions to come, some of them made beforehand.

    Args:
        source: all of them, in order.
    """

    def __init__(self, source: Iterator[Session]) -> None:
        self._source = source
        self._made: deque[Session] = deque(maxlen=AHEAD)
        self._is_empty = False

    def fill(self) -> None:
        """Make as many as are made beforehand."""
        while self.make_one():
            pass

    def make_one(self) -> bool:
        """Make one more; whether there was one to make, and room for it."""
        if self._is_empty or len(self._made) >= AHEAD:
            return False
        session = next(self._source, None)
        if session is None:
            self._is_empty = True
            return False
        self._made.append(session)
        return True

    def peek(self) -> Session | None:
        """The next one; None after the last."""
        if not self._made:
            self.make_one()
        return self._made[0] if self._made else None

    def take(self) -> Session | None:
        """The next one, taken."""
        session = self.peek()
        return None if session is None else self._made.popleft()
