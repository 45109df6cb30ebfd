"""Unigram, as of T5 and XLM-R: the tokens whose scores have the largest sum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from triollama._errors import MissingExtraError

from .charsmap import CharsMap
from .errors import TokenizerError, refused_as
from .memory import Memory
from .vocabulary import NORMAL, UNUSED, USER_DEFINED, Vocabulary

try:
    from tokenizers import Encoding, Tokenizer, models
except ImportError:  # pragma: no cover - the tests have it
    raise MissingExtraError("tokenize", "counting tokens") from None

__all__ = ["Unigram"]

_BLANK: Final = "\u2581"

_WORDS: Final = re.compile("[^ ]+ ?| ")
"""A word with the blank behind it, because a rule may look as far as that."""

_REPLACEMENT: Final = "\ufffd".encode()

_NOWHERE: Final = "\U0010ffff" * 4
"""Begins the texts of tokens that are not to be found: a noncharacter, in no text that means
something."""


class Unigram:
    """A Unigram tokenizer for text without special tokens.

    Raises:
        TokenizerError: no token stands for what is unknown, or the normalisation is damaged.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        if vocabulary.unknown is None:
            raise TokenizerError("no token stands for what is unknown")
        self._opens = vocabulary.opens_with_space
        self._merges_spaces = vocabulary.merges_spaces
        self._rules = CharsMap(vocabulary.charsmap)
        # Whatever begins as a token of the user's does is left as it is.
        self._kept = {
            text.encode()[:length]
            for text, number in vocabulary.ids.items()
            if vocabulary.types[number] == USER_DEFINED
            for length in range(1, len(text.encode()) + 1)
        }
        blank_goes_on = any(self._rules.goes_on(b" ", byte) for byte in range(1, 0x100))
        self._cuts_words = not blank_goes_on and b" " not in self._kept
        self._memory: Memory[str] = Memory(self._replaced)
        with refused_as("its tokens or scores make no sense"):
            model = models.Unigram(_entries(vocabulary), vocabulary.unknown, False)  # noqa: FBT003
            self._tokenizer = Tokenizer(model)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        return [encoding.ids for encoding in self._encode(texts)]

    def count(self, texts: Sequence[str]) -> int:
        """How many tokens all the texts have together."""
        return sum(map(len, self._encode(texts)))

    def _encode(self, texts: Sequence[str]) -> Sequence[Encoding]:
        plain = [self._plain(text) for text in texts]
        return self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)

    def _plain(self, text: str) -> str:
        """The text as the scores are for it: replaced by the rules, with marks for blanks."""
        if self._cuts_words:
            recall = self._memory.recall
            replaced = "".join(map(recall, _WORDS.findall(text)))
        else:
            replaced = self._replaced(text)
        if self._merges_spaces:
            return "".join(_BLANK + word for word in replaced.split(" ") if word)
        bare = replaced.lstrip(" ")
        opening = " " if self._opens and bare else ""
        spaces = len(replaced) - len(bare)
        return (" " * spaces + opening + bare).replace(" ", _BLANK)

    def _replaced(self, text: str) -> str:
        """What the rules make of a text."""
        data = text.encode()
        made: list[bytes] = []
        at = 0
        while at < len(data):
            replacement, length = self._next(data, at)
            made.append(replacement)
            at += length
        return b"".join(made).decode(errors="replace")

    def _next(self, data: bytes, at: int) -> tuple[bytes, int]:
        """What the rules make of the next bytes, and how many they are."""
        kept = 0
        while kept < len(data) - at and data[at : at + kept + 1] in self._kept:
            kept += 1
        if kept:
            return data[at : at + kept], kept
        found = self._rules.match(data, at)
        if found is not None:
            return found
        lead = data[at]
        length = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        is_whole = lead < 0x80 or length > 1
        return (data[at : at + length], length) if is_whole else (_REPLACEMENT, 1)


def _entries(vocabulary: Vocabulary) -> list[tuple[str, float]]:
    """Each token with its score; what is not to be found is hidden."""
    found = {NORMAL, USER_DEFINED, UNUSED}
    scores = vocabulary.scores
    best = max(scores, default=0.0)
    return [
        (f"{_NOWHERE}{at}", best)
        if kind not in found
        else (token, 0.0 if kind == USER_DEFINED else score)
        for at, (token, kind, score) in enumerate(
            zip(vocabulary.tokens, vocabulary.types, scores, strict=False)
        )
    ]
