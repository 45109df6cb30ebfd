r"""The simulator's 256 tokens, with their bytes on the wire worked out once.

256, so that each byte of a hash chooses one. Most are words; some are there because clients get
them wrong: ``<``, ``&`` and U+2028 (escaped by Go), quotes, backslashes, line feeds, characters of
two, three and four bytes in UTF-8, and such as consist of several code points. U+0085 is not among
them: Go does not escape it, and the official Python client takes it for the end of a line.
"""

from __future__ import annotations

from typing import NamedTuple

from .encoding import text_bytes

__all__ = ["CLOSING", "OPENERS", "THINKING_OPENERS", "VOCABULARY", "Kind", "Piece", "piece"]


class Kind:
    """Which field of an event a piece goes into: an index, so that tables can be tuples."""

    CONTENT = 0
    THINKING = 1
    TOOL_CALLS = 2
    MARK = 3  # a token that no event shows, such as the end of thinking


class Piece(NamedTuple):
    """One token of an answer.

    Attributes:
        text: what it adds to the text.
        encoded: the same inside a JSON string; for tool calls, the JSON array itself.
        kind: the field it goes into.
        sway: how far its gap strays from the mean, as a share of the jitter, in [-1, 1].
    """

    text: str
    encoded: bytes
    kind: int = Kind.CONTENT
    sway: float = 0.0


def piece(text: str, kind: int = Kind.CONTENT, sway: float = 0.0) -> Piece:
    """Make a piece of a text."""
    return Piece(text, text_bytes(text), kind, sway)


_WORDS = """
the of and to in is that it for as with on be at by this from or an are was not but which one all
there can more when time some into only other new its also after first two may such over most each
how these then where through between both under many before while during still part same number
long again small large way work water light air sky blue red green sun moon star night day year
world earth sea wind rain snow river tree leaf stone sand fire heat cold energy force field wave
particle surface distance speed mass scale order cause effect reason example answer question idea
pattern system model signal noise process state change growth form shape line point level value
result measure method rule case side end center edge path step turn move hold keep give take make
find show mean lead follow begin reach pass cross open close rise fall shift bend scatter reflect
absorb carry spread gather balance depend vary differ remain become appear seem almost often rather
quite very just even enough together apart above below within without because since although
however therefore instead perhaps simply slowly quickly"""
_MARKS = [",", ",", ",", ".", ".", ";", ":", "\n", "\n\n", " -", " (", ")"]
_TRAPS = [
    " 😀",
    " 🌍",
    " 👩‍🚀",
    " 你好",
    " 世界",
    " 水",
    " こんにちは",
    " 빛",
    " é",
    " naïve",
    " ß",
    " Ω",
    " <b>",
    "</b>",
    " a<b",
    " R&D",
    " &amp;",
    ' "quoted"',
    " back\\slash",
    "\t",
    "\u2028",
    "\u2029",
    " \u200b",
    " {x}",
    " [1]",
    " 3.14",
    " 42",
    " 100%",
    "\u00a0",
    " e\u0301",
]
_TEXTS = ([f" {word}" for word in dict.fromkeys(_WORDS.split())] + _MARKS * 3)[
    : 256 - len(_TRAPS)
] + _TRAPS
# The gaps of neighbours must not go together, hence a stride that is coprime to 255.
VOCABULARY = tuple(
    piece(text, sway=(index * 101 % 255) / 127 - 1) for index, text in enumerate(_TEXTS)
)
"""One token for each value of a byte."""

OPENERS = tuple(
    piece(word)
    for word in (
        "Broadly",
        "Certainly",
        "Evidently",
        "Frankly",
        "Generally",
        "Indeed",
        "Luckily",
        "Mostly",
        "Naturally",
        "Obviously",
        "Plainly",
        "Roughly",
        "Strictly",
        "Typically",
        "Usually",
        "Whimsically",
    )
)
"""Each answer begins with one of these: words that prompts seldom hold (see `text`)."""

THINKING_OPENERS = tuple(piece(word, Kind.THINKING) for word in ("Hmm", "Ponder", "Okay", "Wait"))
"""Each thinking begins with one of these."""

CLOSING = piece(".")
"""The last token of an answer."""

assert len(VOCABULARY) == 256, len(VOCABULARY)  # a byte of a hash is the index
