"""The answer as a function of the prompt, such that a part of it, sent back, is gone on with.

An answer is ``A(P)``: its tokens are drawn from a hash of (seed, model, images, prompt P). A server
is stateless, so a request to continue arrives as one text ``P + X``, X being the beginning of
``A(P)``, and nobody says where P ends. The rule that finds it:

    c is the smallest position at which the rest of the text is a beginning of ``A(text[:c])``;
    the model goes on from there. If there is none, c is the end and a new answer begins.

This is exact, not a guess. If no c was found for P, then for ``P + X`` the position ``len(P)`` fits
by construction, and an earlier one would have fitted P as well. If c was found for P, it still fits
``P + X``, and again an earlier one would have fitted before. So cutting an answer anywhere, any
number of times, gives the unbroken answer, character by character; the tests try it at random.

To make the search cheap every answer begins with one of a few seldom words; only where such a word
stands, or begins at the very end, is the hash worked out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from attrs import frozen

from .template import NO_THINKING, THINKING
from .vocabulary import CLOSING, OPENERS, THINKING_OPENERS, VOCABULARY, Kind, Piece, piece

__all__ = ["Author", "Lengths"]

_STARTS = (*OPENERS, *THINKING_OPENERS)
_OPENER = re.compile("|".join(start.text for start in _STARTS))
_BEGINNINGS = frozenset(
    start.text[:length] for start in _STARTS for length in range(1, len(start.text))
)
_OPENER_CHARACTERS_MAX = max(len(start.text) for start in _STARTS)
_CANDIDATES_MAX = 4096
"""Positions tried. A chat has one per turn; a prompt made of openers must not cost a second."""

_END_OF_THINKING = piece("\n</think>\n\n", Kind.MARK)


@frozen
class Lengths:
    """How long texts are, in tokens, both ends included."""

    answer_min: int
    answer_max: int
    think_min: int
    think_max: int


class Author:
    """Writes what one model answers.

    Args:
        seed: of the simulator.
        model: the key of the model's name.
        lengths: the range of lengths.
    """

    def __init__(self, seed: int, model: str, lengths: Lengths) -> None:
        self._salt = f"{seed}\0{model}\0".encode()
        self._lengths = lengths

    def answer(
        self, prompt: str, *, seed: int = 0, images: Sequence[bytes] = ()
    ) -> Iterator[Piece]:
        """Yield the tokens that follow a prompt, which may hold the beginning of its own answer.

        Args:
            prompt: the rendered or raw prompt.
            seed: the request's option; unset is taken as 0, so that every answer repeats.
            images: the images' bytes.
        """
        hasher = self._hasher(seed, images)
        pieces, partial = self._find(prompt, hasher)
        return _skip(pieces, len(partial))

    def draw(self, prompt: str, *, seed: int = 0, images: Sequence[bytes] = ()) -> Iterator[int]:
        """Yield bytes that are a function of the prompt, for answers that are no prose."""
        hasher = self._hasher(seed, images)
        hasher.update(prompt.encode("utf-8", "replace"))
        return _stream(hasher.digest(), b"draw")

    def thoughts(self, prompt: str, *, seed: int = 0) -> Iterator[Piece]:
        """Yield the thinking alone that goes before an answer to a prompt."""
        hasher = self._hasher(seed, ())
        hasher.update(prompt.encode("utf-8", "replace"))
        return self._think(hasher.digest())

    def _hasher(self, seed: int, images: Sequence[bytes]) -> hashlib.blake2b:
        hasher = hashlib.blake2b(self._salt, digest_size=32)
        hasher.update(f"{seed}\0".encode())
        for image in images:
            hasher.update(hashlib.blake2b(image).digest())
        return hasher

    def _find(self, prompt: str, hasher: hashlib.blake2b) -> tuple[Iterator[Piece], str]:
        """Find where the answer began; give the answer from its beginning, and what is there."""
        hashed = 0
        for cut in (*_candidates(prompt), len(prompt)):
            base, thinking = _base(prompt, cut)
            assert base >= hashed, "no opener stands inside a mark"
            hasher.update(prompt[hashed:base].encode("utf-8", "replace"))
            hashed = base
            key = hasher.copy().digest()
            if cut == len(prompt) or _begins(self._write(key, thinking=thinking), prompt, cut):
                return self._write(key, thinking=thinking), prompt[cut:]
        raise AssertionError("the end of the prompt always fits")

    def _write(self, key: bytes, *, thinking: bool) -> Iterator[Piece]:
        if thinking:
            yield from self._think(key)
            yield _END_OF_THINKING
        lengths = self._lengths
        count = _between(key[0:4], lengths.answer_min, lengths.answer_max)
        yield OPENERS[key[4] % len(OPENERS)]
        for byte in islice(_stream(key, b"answer"), max(0, count - 2)):
            yield VOCABULARY[byte]
        if count > 1:
            yield CLOSING

    def _think(self, key: bytes) -> Iterator[Piece]:
        lengths = self._lengths
        count = _between(key[8:12], lengths.think_min, lengths.think_max)
        yield THINKING_OPENERS[key[12] % len(THINKING_OPENERS)]
        for byte in islice(_stream(key, b"think"), count - 1):
            yield _THINKING_VOCABULARY[byte]


_THINKING_VOCABULARY = tuple(entry._replace(kind=Kind.THINKING) for entry in VOCABULARY)


def _between(key: bytes, low: int, high: int) -> int:
    return low + int.from_bytes(key, "big") % (high - low + 1)


def _stream(key: bytes, purpose: bytes) -> Iterator[int]:
    """Yield bytes without end, a block of the hash at a time: long answers cost no memory."""
    block = 0
    while True:
        yield from hashlib.blake2b(purpose + block.to_bytes(8, "big"), key=key).digest()
        block += 1


def _candidates(prompt: str) -> list[int]:
    """List, in order, the positions where an answer may have begun."""
    found = [match.start() for match in islice(_OPENER.finditer(prompt), _CANDIDATES_MAX)]
    tail = range(max(0, len(prompt) - _OPENER_CHARACTERS_MAX), len(prompt))
    return found + [cut for cut in tail if prompt[cut:] in _BEGINNINGS]


def _base(prompt: str, cut: int) -> tuple[int, bool]:
    """Find what the answer at ``cut`` depends on, and whether it begins with thinking.

    The marks of thinking at the end of the prompt are no part of it: with and without thinking, and
    with the thinking left out of the history, the answer is the same.
    """
    if prompt.endswith(NO_THINKING, 0, cut):
        return cut - len(NO_THINKING), False
    if prompt.endswith(THINKING, 0, cut):
        return cut - len(THINKING), True
    return cut, False


def _begins(pieces: Iterator[Piece], prompt: str, cut: int) -> bool:
    """Whether the prompt from ``cut`` is a beginning of (or all of) these pieces' text."""
    at, end = cut, len(prompt)
    for entry in pieces:
        text = entry.text
        if end - at <= len(text):
            return text.startswith(prompt[at:])
        if not prompt.startswith(text, at):
            return False
        at += len(text)
    return False


def _skip(pieces: Iterator[Piece], characters: int) -> Iterator[Piece]:
    """Leave out the first characters; a token cut in two gives its rest as a token."""
    for entry in pieces:
        if characters <= 0:
            yield entry
        elif characters < len(entry.text):
            yield piece(entry.text[characters:], entry.kind, entry.sway)
        characters -= len(entry.text)
