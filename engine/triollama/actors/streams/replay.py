"""Leaving out what has arrived before, of an answer that is given again from its beginning.

No IO. Owns what is still to be left out. Text, thinking and calls are each compared as they come;
how they are cut into chunks may differ.
"""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from triollama.actors.streams.core import ReplayMismatchError
from triollama.actors.streams.resume import Delivered
from triollama.api import ChatChunk, GenerateChunk, ToolCall

C = TypeVar("C", bound=ChatChunk | GenerateChunk)


class Replay(Generic[C]):
    """What is to be left out.

    Args:
        delivered: what has arrived before.
    """

    def __init__(self, delivered: Delivered) -> None:
        self._content = delivered.content
        self._thinking = delivered.thinking
        self._calls = delivered.tool_calls

    @property
    def is_over(self) -> bool:
        """Whether all that had arrived before has come again."""
        return not (self._content or self._thinking or self._calls)

    def left_of(self, chunk: C) -> C | None:
        """What of a chunk is new; None if nothing is.

        Raises:
            ReplayMismatchError: it is not what had arrived before, or the answer ends before that.
        """
        if self.is_over:
            return chunk
        content, self._content = _behind(chunk.content, self._content)
        thinking, self._thinking = _behind(chunk.thinking or "", self._thinking)
        calls = self._new_calls(chunk.tool_calls)
        if chunk.done and not self.is_over:
            raise ReplayMismatchError("the answer, asked for again, was shorter")
        if content or thinking or calls or chunk.done:
            return cast("C", chunk.with_parts(content, thinking or None, calls))
        return None

    def _new_calls(self, calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        known, self._calls = self._calls[: len(calls)], self._calls[len(calls) :]
        # The ids are drawn anew each time.
        if [each.function for each in known] != [each.function for each in calls[: len(known)]]:
            raise ReplayMismatchError("the answer, asked for again, made other calls")
        return calls[len(known) :]


def _behind(text: str, known: str) -> tuple[str, str]:
    """What a text adds to what is known to come, and what of that is still to come."""
    if not known.startswith(text[: len(known)]):
        raise ReplayMismatchError("the answer, asked for again, was another one")
    return text[len(known) :], known[len(text) :]
