"""Folding a stream's chunks into one answer; what chat and generate have in common.

Owns the text so far. It is gathered in a list: of 1,000 streams each finds its own memory no longer
in the cache, and a list touches the least of it. Now and then the list is moved to an
`io.StringIO`, which keeps one buffer in place of an object per token.
"""

from __future__ import annotations

import io
from typing import Generic, TypeVar

from ._chunk import Chunk, Logprob
from .messages import ToolCall

__all__ = ["Fold"]

PARTS_MAX = 256
"""Pieces of text held apart: about 16 KiB of objects."""

C = TypeVar("C", bound=Chunk)


class Fold(Generic[C]):
    """Collects the chunks of one answer, in the order of their arrival.

    Subclasses give ``add(chunk)`` and ``result()``. One fold may take the chunks of several
    attempts at the same answer; what the last event says (reason, counts) is the last attempt's.
    """

    __slots__ = ("_calls", "_first", "_last", "_logprobs", "_parts", "_text", "_thinking")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: the answer begins anew."""
        self._text: io.StringIO | None = None
        self._parts: list[str] = []
        self._thinking: io.StringIO | None = None
        self._calls: list[ToolCall] = []
        self._logprobs: list[Logprob] = []
        self._first: C | bytes | None = None
        self._last: C | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self.text)} long>, is_done={self.is_done})"

    @property
    def text(self) -> str:
        """The content so far; a copy of it all, so not for once per chunk."""
        if self._text is None:
            return "".join(self._parts)
        self._gather()
        return self._text.getvalue()

    @property
    def thinking(self) -> str | None:
        """The thinking so far; None if there was none."""
        return None if self._thinking is None else self._thinking.getvalue()

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far."""
        return tuple(self._calls)

    @property
    def is_done(self) -> bool:
        """Whether the last event of an answer has been added."""
        return self._last is not None and self._last.done

    def _mark(self, chunk: C) -> None:
        """Keep the last event, and of the first its line: decoded it would be four times as large.

        To keep each until the next one would free it when its memory is no longer in the cache.
        """
        if chunk.done:
            self._last = chunk
        elif self._first is None:
            self._first = chunk.line or chunk

    def _gather(self) -> None:
        """Move the parts to the buffer."""
        self._text = self._text or io.StringIO()
        self._text.write("".join(self._parts))
        self._parts.clear()

    def _add_rare(
        self, thinking: str | None, calls: tuple[ToolCall, ...], logprobs: tuple[Logprob, ...]
    ) -> None:
        """Add what most chunks do not have."""
        if thinking is not None:
            if self._thinking is None:
                self._thinking = io.StringIO()
            self._thinking.write(thinking)
        self._calls.extend(calls)
        self._logprobs.extend(logprobs)
