"""How long texts are: tokens into characters, and lengths drawn at random.

Synthetic text is made of words of three letters with a blank behind each (`text`), so that in
practice every word is one token of a model, and exactly four characters. Hence a prompt's tokens
grow by the same amount with every word, and two prompts that a server has counted
(``prompt_eval_count``) tell how much, and what the template adds: no tokenizer is needed.
"""

from __future__ import annotations

import math
import random
from typing import Final

import attrs

from triollama_adapters.loadtest.errors import PlanError

__all__ = ["WORD_CHARACTERS", "TokenLengths", "draw_length"]

WORD_CHARACTERS: Final = 4
"""Of a word of synthetic text with its blank."""


@attrs.frozen
class TokenLengths:
    """What a token is, for one model and route.

    Attributes:
        characters_per_token: of synthetic text.
        overhead_tokens: of a prompt without text: the model's template, and the first and last
            mark of the text.
    """

    characters_per_token: float = 4.0
    overhead_tokens: float = 0.0

    def __attrs_post_init__(self) -> None:
        if not (0.0 < self.characters_per_token < math.inf):
            raise PlanError(
                f"characters_per_token {self.characters_per_token} is not a number above 0",
                field="characters_per_token",
            )
        if not math.isfinite(self.overhead_tokens):
            raise PlanError(
                f"overhead_tokens {self.overhead_tokens} is not a number", field="overhead_tokens"
            )

    @classmethod
    def between(cls, short: tuple[int, int], long: tuple[int, int]) -> TokenLengths:
        """From two synthetic prompts of different lengths, as a server counted them.

        Args:
            short: words (see `text.make_text`) and tokens of the one.
            long: of the other.

        Raises:
            PlanError: the longer one has no more tokens: the server cut it, or does not count.
        """
        words, tokens = long[0] - short[0], long[1] - short[1]
        if words <= 0 or tokens <= 0:
            raise PlanError(
                f"{long[0]} words are {long[1]} tokens and {short[0]} words are {short[1]}: "
                "tokens cannot be told from that",
                field="characters_per_token",
            )
        per_word = tokens / words
        return cls(WORD_CHARACTERS / per_word, short[1] - per_word * short[0])

    def words(self, tokens: int) -> int:
        """How many words of synthetic text make a prompt of so many tokens; at least one."""
        text_tokens = tokens - self.overhead_tokens
        return max(1, round(text_tokens * self.characters_per_token / WORD_CHARACTERS))

    def block_words(self, tokens: int) -> int:
        """How many words make a part of a prompt, without what the template adds."""
        return max(1, round(tokens * self.characters_per_token / WORD_CHARACTERS))


def draw_length(mean: int, spread: float, draw: random.Random) -> int:
    """A length of at least 1: log-normal, as those of real prompts and answers nearly are.

    Args:
        mean: of the lengths.
        spread: their standard deviation, as a share of the mean; 0 gives the mean.
        draw: the source of chance.
    """
    if spread == 0.0:
        return mean
    # Mean m and variance (s m)² of a log-normal: sigma² = ln(1 + s²), mu = ln m - sigma²/2.
    variance = math.log1p(spread * spread)
    return max(1, round(draw.lognormvariate(math.log(mean) - variance / 2.0, math.sqrt(variance))))
