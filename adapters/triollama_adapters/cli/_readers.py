"""Readers whose servers die: what they got, and how long they waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from triollama import Stream

__all__ = ["Reader", "Verdict", "compare", "describe_waits"]


@attrs.define(eq=False)
class Reader:
    """One reader.

    Attributes:
        number: of its question.
        whole: the unbroken answer.
        stream: what it reads; None before that.
        text: what it has read.
        chunks: in so many pieces.
        is_whole: whether its stream ended well.
        struck: what happened to its server: ``killed``, ``stalled``, or nothing.
        longest_s: the longest time between two pieces, in seconds.
        waited_s: the same up to a certain moment; None if that has not come.
    """

    number: int
    whole: str
    stream: Stream[Any, Any] | None = None
    text: str = ""
    chunks: int = 0
    is_whole: bool = False
    struck: str = ""
    longest_s: float = 0.0
    waited_s: float | None = None
    _last_s: float = 0.0

    @property
    def endpoint(self) -> str:
        """The name of the server that writes its answer."""
        return self.stream.endpoint if self.stream is not None else ""

    def take(self, text: str, now_s: float) -> None:
        """A piece came."""
        if self.chunks:
            self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s
        self.chunks += 1
        self.text += text


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


def describe_waits(readers: Sequence[Reader], struck: str) -> str:
    """The longest pauses of those whose server was struck, as text."""
    waits = sorted(
        reader.longest_s if reader.waited_s is None else reader.waited_s
        for reader in readers
        if reader.struck == struck
    )
    if not waits:
        return "no one"
    picks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    named = {
        name: waits[min(int(len(waits) * share), len(waits) - 1)] for name, share in picks.items()
    }
    return ", ".join(f"{name} {wait_s:.2f} s" for name, wait_s in named.items())
