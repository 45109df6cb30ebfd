"""Synthetic text: common words of three letters, each with one blank. Pure.

Three letters and a blank are four characters and, in the vocabularies of the usual models, one
token. All parts end with a blank, so that parts that are put together share their tokens with
others that begin alike; the last blank of a prompt becomes a full stop.
"""

from __future__ import annotations

import random
from typing import Final

from triollama_adapters.loadtest.arrivals.draws import seeded

__all__ = ["WORDS", "finish", "make_part", "make_text"]

_LISTED = """
the and for are but not you all any can had her was one our out day get has him his how man new now
old see two way who did its let put say she too use car big red top end few got own add run set off
low far air law job six war boy per yet try yes men ten"""

WORDS: Final = tuple(_LISTED.split())
"""64 of the most frequent, which even a vocabulary of 32,000 holds whole; six bits choose one."""

assert len(set(WORDS)) == len(WORDS) == 64, len(WORDS)

_OF_BYTE: Final = tuple(f"{word} " for word in WORDS) * 4  # a byte is an index


def make_part(words: int, draw: random.Random) -> str:
    """So many words, each with a blank behind it: ``4 * words`` characters."""
    return "".join([_OF_BYTE[byte] for byte in draw.randbytes(words)])


def finish(part: str) -> str:
    """A prompt from its parts: the last blank becomes a full stop."""
    return f"{part[:-1]}."


def make_text(words: int, seed: object) -> str:
    """A prompt of so many words, the same for the same seed: ``4 * words`` characters.

    Args:
        words: at least 1.
        seed: anything whose text tells it from others.
    """
    return finish(make_part(words, seeded(seed, "text")))
