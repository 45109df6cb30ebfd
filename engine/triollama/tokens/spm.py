"""SentencePiece's BPE, as of Llama 2 and Gemma: neighbours are joined, the best score first.

Written out here, as llama.cpp does it, because a list of merges cannot express scores that are
equal, nor parts that are no tokens of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from .memory import Memory
from .vocabulary import Vocabulary

__all__ = ["SPM"]

_BLANK = "\u2581"


class SPM:
    """An SPM tokenizer for text without special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = vocabulary.ids
        self._scores = vocabulary.scores
        self._unknown = vocabulary.unknown
        self._cut = _boundary(vocabulary.tokens).split
        self._memory: Memory[tuple[int, ...]] = Memory(self._merge)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        recall = self._memory.recall
        return [[each for word in self._words(text) for each in recall(word)] for text in texts]

    def count(self, texts: Sequence[str]) -> int:
        """How many tokens all the texts have together."""
        recall = self._memory.recall
        return sum(len(recall(word)) for text in texts for word in self._words(text))

    def _words(self, text: str) -> list[str]:
        return self._cut(text.replace(" ", _BLANK))

    def _merge(self, word: str) -> tuple[int, ...]:
        """Join neighbours until no two of them make a token."""
        whole = self._ids.get(word)
        if len(word) < 2:
            return (whole,) if whole is not None else tuple(self._bytes(word))
        parts = _Parts(word)
        queue = [entry for at in range(len(word) - 1) if (entry := self._entry(parts, at, at + 1))]
        heapify(queue)
        while queue:
            _, left, right, size = heappop(queue)
            if not parts.join(left, right, size):
                continue
            before, after = parts.before[left], parts.after[left]
            for pair in ((before, left), (left, after)):
                if pair[0] >= 0 and pair[1] >= 0 and (entry := self._entry(parts, *pair)):
                    heappush(queue, entry)
        return tuple(each for part in parts.texts if part for each in self._tokens(part))

    def _entry(self, parts: _Parts, left: int, right: int) -> tuple[float, int, int, int] | None:
        """A merge that can be made: the best score comes first, then the leftmost place."""
        text = parts.texts[left] + parts.texts[right]
        token = self._ids.get(text)
        return None if token is None else (-self._scores[token], left, right, len(text))

    def _tokens(self, part: str) -> Iterator[int]:
        token = self._ids.get(part)
        if token is None:
            yield from self._bytes(part)
        else:
            yield token

    def _bytes(self, text: str) -> Iterator[int]:
        """What is no token goes byte by byte."""
        for byte in text.encode():
            token = self._ids.get(f"<0x{byte:02X}>", self._ids.get(chr(byte), self._unknown))
            if token is not None:
                yield token


class _Parts:
    """The parts of a word, of which neighbours are joined.

    Attributes:
        texts: by the place of their first character; empty where one was joined to the left.
        before: the place of the part before each; -1 for none.
        after: the place of the part behind each; -1 for none.
    """

    def __init__(self, word: str) -> None:
        self.texts = list(word)
        self.before = list(range(-1, len(word) - 1))
        self.after = [*range(1, len(word)), -1]

    def join(self, left: int, right: int, size: int) -> bool:
        """Join two parts, unless one of them has changed since that was planned."""
        first, second = self.texts[left], self.texts[right]
        if not first or not second or len(first) + len(second) != size:
            return False
        self.texts[left] = first + second
        self.texts[right] = ""
        self.after[left] = self.after[right]
        if self.after[right] >= 0:
            self.before[self.after[right]] = left
        return True


def _boundary(tokens: Sequence[str]) -> re.Pattern[str]:
    """Where a text can be cut so that no token is: before a blank that none has behind a letter.

    Each part is then worked out once, and remembered.
    """
    crossing = {
        character
        for token in tokens
        if _BLANK in token[1:]
        for character, following in pairwise(token)
        if following == _BLANK
    }
    kept = "".join(map(re.escape, {_BLANK, *crossing}))
    return re.compile(f"(?<=[^{kept}])(?={_BLANK})")
