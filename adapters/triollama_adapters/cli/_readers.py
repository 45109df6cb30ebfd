"""Readers whose servers die: what they got, and how long they waited for it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import trio

from triollama import Stream, TriollamaError

__all__ = ["Reader", "Verdict", "compare", "describe_spread", "follow"]


@attrs.define(eq=False)
class Reader:
    """One reader.

    Attributes:
        question: what is asked.
        whole: the unbroken answer.
        stream: what it reads; None before that.
        text: what it has read.
        chunks: in so many pieces.
        is_whole: whether its stream ended well.
        error: how it ended otherwise; empty if it did not.
    """

    question: str
    whole: str
    stream: Stream[Any, Any] | None = None
    text: str = ""
    chunks: int = 0
    is_whole: bool = False
    error: str = ""
    _longest_s: float = 0.0
    _last_s: float = 0.0

    @property
    def endpoint(self) -> str:
        """The name of the server that writes its answer; empty if none does."""
        return self.stream.endpoint if self.stream is not None else ""

    @property
    def is_running(self) -> bool:
        """Whether it has read something and expects more."""
        return bool(self.chunks) and not self.is_whole and not self.error

    def take(self, text: str, now_s: float) -> None:
        """A piece came."""
        if self.chunks:
            self._longest_s = max(self._longest_s, now_s - self._last_s)
        self._last_s = now_s
        self.chunks += 1
        self.text += text

    def mark(self) -> None:
        """Forget the pauses so far: something happens now."""
        self._longest_s = 0.0

    def waited_s(self, now_s: float) -> float:
        """The longest time between two pieces since the last `mark`, in seconds.

        A pause that has not ended counts as far as it goes.
        """
        return max(self._longest_s, now_s - self._last_s if self.is_running else 0.0)


async def follow(reader: Reader, opening: AbstractAsyncContextManager[Stream[Any, Any]]) -> None:
    """Read a stream to its end, good or bad."""
    try:
        async with opening as stream:
            reader.stream = stream
            async for chunk in stream:
                reader.take(chunk.content, trio.current_time())
    except TriollamaError as error:
        reader.error = f"{type(error).__name__}: {error}"
    else:
        reader.is_whole = True


@attrs.frozen
class Verdict:
    """What all readers got.

    Attributes:
        streams: how many there were.
        whole: how many ended well.
        characters: of all unbroken answers.
        lost: characters that should have come and did not.
        doubled: characters that came and should not have.
    """

    streams: int
    whole: int
    characters: int
    lost: int
    doubled: int

    @property
    def is_clean(self) -> bool:
        """Whether nobody noticed anything."""
        return self.whole == self.streams and not self.lost and not self.doubled


def compare(readers: Sequence[Reader]) -> Verdict:
    """Compare what was read with the unbroken answers, character by character."""
    differences = [_difference(reader.text, reader.whole) for reader in readers]
    return Verdict(
        streams=len(readers),
        whole=sum(reader.is_whole for reader in readers),
        characters=sum(len(reader.whole) for reader in readers),
        lost=sum(lost for lost, _ in differences),
        doubled=sum(doubled for _, doubled in differences),
    )


def describe_spread(seconds: Collection[float]) -> str:
    """Median, 99th percentile (nearest rank) and maximum of some durations, as text."""
    if not seconds:
        return "no one"
    ranked = sorted(seconds)
    picks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return ", ".join(
        f"{name} {ranked[math.ceil(share * len(ranked)) - 1] * 1e3:,.0f} ms"
        for name, share in picks.items()
    )


def _difference(text: str, whole: str) -> tuple[int, int]:
    """Characters missing and too many, between what both begin with and what both end with."""
    if text == whole:
        return 0, 0
    before = _common(text, whole)
    left, right = text[before:], whole[before:]
    behind = _common(left[::-1], right[::-1])
    return len(right) - behind, len(left) - behind


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
