"""An answer that is had in several attempts, as one.

Owns: what the present attempt's chunks stand for. `admit` takes the first chunks of an attempt and
its last one: it refuses those of another model, leaves out what has arrived before, and counts the
whole answer in the last. The chunks between need none of that.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import msgspec

from triollama._errors import ProtocolError
from triollama.actors.streams.replay import Replay
from triollama.actors.streams.resume import Delivered, Way
from triollama.api import ChatChunk, GenerateChunk, ToolCall, name_key

C = TypeVar("C", bound=ChatChunk | GenerateChunk)
C_contra = TypeVar("C_contra", contravariant=True)
_stamp = msgspec.structs.force_setattr


class Folds(Protocol[C_contra]):
    """What is needed of `ChatFold` or `GenerateFold`."""

    def add(self, chunk: C_contra, /) -> None:
        """Add one event."""

    def reset(self) -> None:
        """Forget everything."""

    @property
    def text(self) -> str:
        """The content so far."""

    @property
    def thinking(self) -> str | None:
        """The thinking so far."""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far."""


class Renewal(Generic[C]):
    """What the attempts at one answer have brought.

    Where ``chunks`` is an argument, it is the number of chunks given so far, by all attempts.

    Args:
        fold: collects the answer.
    """

    __slots__ = ("_fold", "_model", "_replay", "_spliced_tokens", "_void_chunks")

    def __init__(self, fold: Folds[C]) -> None:
        self._fold = fold
        self._model = ""
        self._replay: Replay[C] | None = None
        self._spliced_tokens = 0
        self._void_chunks = 0

    def begin(self, way: Way, model: str, chunks: int) -> None:
        """Be ready for an attempt; see `Inflow.begin`."""
        self._model = model
        if way is Way.RESTART:
            self._fold.reset()
        if way is Way.RESEND or way is Way.RESTART:
            self._void_chunks = chunks
        self._replay = Replay(self.delivered(chunks, seen=True)) if way is Way.REPLAY else None
        self._spliced_tokens = chunks - self._void_chunks if way.is_splice else 0

    def admit(self, chunk: C) -> C | None:
        """What of a chunk is new; None if nothing is.

        Raises:
            ProtocolError: it is of another model.
            ReplayMismatchError: it is not what had arrived before.
        """
        # The name comes back as it was sent; comparing keys allows for servers that complete it.
        if chunk.model != self._model and chunk.model and self._model:
            if name_key(chunk.model) != name_key(self._model):
                raise ProtocolError("the server answered for another model than was asked")
            self._model = chunk.model
        if self._replay is not None:
            left = self._replay.left_of(chunk)
            if left is None:
                return None
            chunk = left
        if chunk.done and self._spliced_tokens:
            self._count_whole(chunk)
        return chunk

    def delivered(self, chunks: int, *, seen: bool) -> Delivered:
        """What has arrived of the answer.

        Args:
            chunks: see the class.
            seen: whether its reader can have seen any of it.
        """
        fold = self._fold
        tokens = chunks - self._void_chunks
        return Delivered(fold.text, fold.thinking or "", fold.tool_calls, tokens, seen)

    def last_line(self, chunks: int, reason: str) -> bytes:
        """The terminal line of an answer that has all its tokens, for this ``done_reason``."""
        self._spliced_tokens = 0
        last = {"model": self._model, "done": True, "done_reason": reason}
        return msgspec.json.encode({**last, "eval_count": chunks - self._void_chunks})

    @property
    def characters(self) -> int:
        """Length of text and thinking together."""
        return len(self._fold.text) + len(self._fold.thinking or "")

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the answer has arrived."""
        return not (self._fold.text or self._fold.thinking or self._fold.tool_calls)

    def _count_whole(self, last: C) -> None:
        """Count the whole answer in its last event: its server saw a part of it as prompt."""
        tokens = self._spliced_tokens
        _stamp(last, "eval_count", max(last.eval_count or 0, 0) + tokens)
        _stamp(last, "prompt_eval_count", max((last.prompt_eval_count or 0) - tokens, 0))


def says_something(chunk: ChatChunk | GenerateChunk) -> bool:
    """Whether it has text, thinking or a tool call."""
    return bool(chunk.content or chunk.thinking or chunk.tool_calls)
