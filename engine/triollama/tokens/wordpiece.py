"""WordPiece, as of BERT: words, made plain, each cut into the longest tokens from its left.

A vocabulary in GGUF marks the beginning of a word with ``▁`` in place of BERT's ``##`` elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from .memory import Memory
from .vocabulary import Vocabulary

__all__ = ["WordPiece"]

_BLANK: Final = "\u2581"
_SPACES: Final = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_CHINESE: Final = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Each character of these is a word. That one range begins late is so in all implementations."""


class WordPiece:
    """A WordPiece tokenizer for text without special tokens."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = vocabulary.ids
        self._unknown = vocabulary.unknown
        self._longest = max(map(len, vocabulary.tokens))
        self._plain = _plainer(
            lowercases=vocabulary.lowercases, strips_accents=vocabulary.strips_accents
        )
        self._memory: Memory[tuple[int, ...]] = Memory(self._cut)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        recall = self._memory.recall
        return [[each for word in _words(text) for each in recall(word)] for text in texts]

    def count(self, texts: Sequence[str]) -> int:
        """How many tokens all the texts have together."""
        recall = self._memory.recall
        return sum(len(recall(word)) for text in texts for word in _words(text))

    def _cut(self, word: str) -> tuple[int, ...]:
        """The tokens of what stands between two spaces."""
        plain = self._plain
        return tuple(
            token
            for part in "".join(map(plain, word)).split()
            for token in self._tokens(_BLANK + part)
        )

    def _tokens(self, word: str) -> tuple[int, ...]:
        found = []
        at = 0
        while at < len(word):
            for end in range(min(len(word), at + self._longest), at, -1):
                token = self._ids.get(word[at:end])
                if token is not None:
                    found.append(token)
                    at = end
                    break
            else:
                return () if self._unknown is None else (self._unknown,)
        return tuple(found)


def _words(text: str) -> list[str]:
    return [word for word in _SPACES.split(text) if word]


def _plainer(*, lowercases: bool, strips_accents: bool) -> Callable[[str], str]:
    """How one character is made plain: what stands by itself gets spaces around it."""

    @lru_cache(maxsize=4_096)
    def plain(character: str) -> str:
        if strips_accents:
            character = unicodedata.normalize("NFD", character)[0]
        category = unicodedata.category(character)
        is_accent = strips_accents and category[0] == "M"
        if character in "\0\ufffd" or category in _CONTROLS or is_accent:
            return ""
        made = character.lower()[0] if lowercases else character
        alone = category[0] == "P" or (category[0] == "S" and character < "\x7f")
        return f" {made} " if alone or _is_chinese(ord(character)) else made

    return plain


_CONTROLS: Final = frozenset({"Cc", "Cf", "Cs", "Co"})


def _is_chinese(code: int) -> bool:
    return any(first <= code <= last for first, last in _CHINESE)
