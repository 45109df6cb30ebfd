"""A tokenizer as ``show`` tells of it with ``verbose``: byte-level BPE, small, but whole.

Owns the vocabulary and the merges, learned from the simulator's own words: all 256 bytes are
tokens, each merge joins two tokens into a third one, and the special tokens stand behind. Whoever
builds a tokenizer from it can encode any text and decode it again. The simulator itself counts
otherwise (`template.token_count`).
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any

from .vocabulary import OPENERS, THINKING_OPENERS, VOCABULARY

__all__ = ["tokenizer_info"]

_MERGES = 256
_SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>")
_NORMAL, _CONTROL = 1, 3
_Word = tuple[str, ...]


def tokenizer_info(*, verbose: bool) -> dict[str, Any]:
    """The ``tokenizer.ggml.*`` keys of ``model_info``; arrays are null unless ``verbose``."""
    tokens, merges = _learned()
    first = len(tokens)
    types = [_NORMAL] * first + [_CONTROL] * len(_SPECIAL)
    arrays: dict[str, Any] = {
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.tokens": [*tokens, *_SPECIAL],
    }
    return {
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.bos_token_id": first,
        "tokenizer.ggml.eos_token_id": first + 3,
        "tokenizer.ggml.eot_token_id": first + 3,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.padding_token_id": first + 1,
        "tokenizer.ggml.pre": "llama-bpe",
        **(arrays if verbose else dict.fromkeys(arrays)),
    }


@cache
def _learned() -> tuple[list[str], list[str]]:
    """Learn the merges from the words: each time the most frequent pair, the first of equals."""
    alphabet = _bytes_to_characters()
    words: list[_Word] = [
        tuple(alphabet[byte] for byte in text.encode())
        for text in dict.fromkeys(
            entry.text for entry in (*VOCABULARY, *OPENERS, *THINKING_OPENERS)
        )
        if text.strip().isalpha() and text.isascii()
    ]
    merges: list[str] = []
    tokens = [alphabet[byte] for byte in range(256)]
    while len(merges) < _MERGES:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        if not pairs:
            break
        (left, right), _count = min(pairs.items(), key=lambda item: (-item[1], item[0]))
        merges.append(f"{left} {right}")
        if left + right not in tokens:
            tokens.append(left + right)
        words = [_joined(word, left, right) for word in words]
    return tokens, merges


def _joined(word: _Word, left: str, right: str) -> _Word:
    if left not in word:
        return word
    made: list[str] = []
    for character in word:
        if character == right and made and made[-1] == left:
            made[-1] = left + right
        else:
            made.append(character)
    return tuple(made)


def _bytes_to_characters() -> list[str]:
    """The characters that stand for bytes in such vocabularies.

    Printable bytes of Latin-1 stand for themselves, the others for U+0100 and what follows, in
    their order.
    """
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(b) if b in shown else chr(256 + hidden.index(b)) for b in range(256)]
