"""Byte-pair encoding: words, cut by patterns, whose parts are joined in the order of the merges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from triollama._errors import MissingExtraError

from .errors import refused_as
from .vocabulary import Vocabulary

try:
    from tokenizers import Encoding, Regex, Tokenizer, models, pre_tokenizers
except ImportError:  # pragma: no cover - the tests have it
    raise MissingExtraError("tokenize", "counting tokens") from None

__all__ = ["BPE"]

_SHOWN: Final = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
"""Bytes that stand for themselves in a byte-level vocabulary; the others are moved up."""

_RUNS: Final = re.compile(r"\n+|[^\n]+")


class BPE:
    """A BPE tokenizer for text without special tokens.

    Raises:
        TokenizerError: the merges do not fit the vocabulary.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        pre = vocabulary.pretokenizer
        self._ids = vocabulary.ids
        self._is_raw = pre.is_raw
        self._joins_newlines = pre.joins_newlines
        self._size = len(vocabulary.tokens)
        # A byte without a token is no token, but keeps its neighbours apart.
        known = vocabulary.ids
        missing = [] if pre.is_raw else [c for c in _byte_characters() if c not in known]
        self._has_missing = bool(missing)
        more = {character: self._size + at for at, character in enumerate(missing)}
        with refused_as("a merge joins or makes what is no token"):
            model = models.BPE(
                {**known, **more} if more else dict(known),
                _pairs(vocabulary.merges),
                ignore_merges=pre.takes_whole_words,
                byte_fallback=pre.is_raw,
            )
            self._tokenizer = Tokenizer(model)
        cuts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in pre.patterns]
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            cuts if pre.is_raw else [*cuts, as_bytes]
        )

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        if self._joins_newlines:
            return [self._encode_lines(text) for text in texts]
        return [self._kept(encoding) for encoding in self._encode(texts)]

    def count(self, texts: Sequence[str]) -> int:
        """How many tokens all the texts have together."""
        if self._joins_newlines or self._has_missing:
            return sum(map(len, self.encode(texts)))
        return sum(map(len, self._encode(texts)))

    def _encode(self, texts: Sequence[str]) -> Sequence[Encoding]:
        if self._is_raw:
            texts = [text.replace(" ", "\u2581") for text in texts]
        # The plain `encode` keeps the interpreter's lock, and takes half as long again.
        return self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)

    def _kept(self, encoding: Encoding) -> list[int]:
        ids: list[int] = encoding.ids
        return [each for each in ids if each < self._size] if self._has_missing else ids

    def _encode_lines(self, text: str) -> list[int]:
        """As `encode`, but a run of newlines that is a token stays one."""
        ids: list[int] = []
        for piece in _RUNS.findall(text):
            whole = self._ids.get(piece) if piece[0] == "\n" else None
            found = self._encode([piece])[0].ids if whole is None else [whole]
            ids.extend(found)
        return ids


def _pairs(merges: Sequence[str]) -> list[tuple[str, str]]:
    """Each merge as its two tokens; of equals the first counts."""
    if len(set(merges)) != len(merges):
        merges = list(dict.fromkeys(merges))
    return [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]


def _byte_characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary."""
    moved = 0x100
    characters = []
    for byte in range(0x100):
        if byte in _SHOWN:
            characters.append(chr(byte))
        else:
            characters.append(chr(moved))
            moved += 1
    return characters
