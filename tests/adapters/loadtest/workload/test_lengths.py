"""How long texts are, for tokenizers that cut every four characters, at words, or at letters."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.workload.lengths import TokenLengths, draw_length
from triollama_adapters.loadtest.workload.text import WORDS, make_text
from triollama_adapters.simulator.template import Message, render


def _simulated(text: str) -> int:
    return render([Message("user", text)], think=None).tokens


def _by_words(text: str) -> int:
    """29 for the template, one for each word with its blank, one for each other sign."""
    return 29 + len(re.findall(r" ?[a-z]+|[^a-z ]", text))


def _by_letters(text: str) -> int:
    return 5 + len(text)


COUNTERS = [_simulated, _by_words, _by_letters]


def _calibrated(count: Callable[[str], int]) -> TokenLengths:
    short, long = ((words, count(make_text(words, words))) for words in (10, 210))
    return TokenLengths.between(short, long)


@pytest.mark.parametrize("count", [_simulated, _by_words])
@given(tokens=st.integers(40, 3_000), seed=st.integers())
def test_lengths_are_exact(count: Callable[[str], int], tokens: int, seed: int) -> None:
    """Two prompts counted by the server suffice for all others, to the token."""
    words = _calibrated(count).words(tokens)
    assert count(make_text(words, seed)) == tokens


@given(tokens=st.integers(40, 3_000), seed=st.integers())
def test_lengths_are_as_near_as_words_are(tokens: int, seed: int) -> None:
    """Where a word is four tokens, the length is within two."""
    words = _calibrated(_by_letters).words(tokens)
    assert abs(_by_letters(make_text(words, seed)) - tokens) <= 2


def test_the_template_is_found() -> None:
    """What a prompt has besides its words: the simulator's is 50 characters, 13 tokens."""
    assert _calibrated(_simulated) == TokenLengths(4.0, 13.0)
    assert _calibrated(_by_letters) == TokenLengths(1.0, 5.0)


def test_a_prompt_is_never_empty() -> None:
    """One shorter than the template is of one word."""
    assert TokenLengths(4.0, 100.0).words(5) == 1


@pytest.mark.parametrize(
    ("short", "long"), [((10, 20), (10, 30)), ((10, 20), (50, 20)), ((10, 20), (50, 5))]
)
def test_counts_that_tell_nothing(short: tuple[int, int], long: tuple[int, int]) -> None:
    """A server that counts the same for all, or cuts, is not believed."""
    with pytest.raises(PlanError, match="tokens cannot be told"):
        TokenLengths.between(short, long)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_that_are_none(value: float) -> None:
    """A token has some characters."""
    with pytest.raises(PlanError, match="characters_per_token"):
        TokenLengths(value)


def test_a_template_that_is_none() -> None:
    """Its length is a number."""
    with pytest.raises(PlanError, match="overhead_tokens"):
        TokenLengths(4.0, float("nan"))


@pytest.mark.parametrize(("mean", "spread"), [(200, 0.3), (1_000, 1.0), (50, 0.1)])
def test_lengths_are_spread_as_asked(mean: int, spread: float) -> None:
    """Mean and standard deviation, over 20,000."""
    draw = random.Random(1)
    lengths = [draw_length(mean, spread, draw) for _ in range(20_000)]
    assert fmean(lengths) == pytest.approx(mean, rel=0.03)
    assert stdev(lengths) == pytest.approx(spread * mean, rel=0.1)
    assert min(lengths) >= 1


def test_without_spread_all_are_alike() -> None:
    """And no chance is used up."""
    draw = random.Random(1)
    state = draw.getstate()
    assert {draw_length(7, 0.0, draw) for _ in range(9)} == {7}
    assert draw.getstate() == state


@given(st.integers(1, 500), st.text())
def test_text_is_four_characters_a_word(words: int, seed: str) -> None:
    """Words with single blanks and a full stop; the same for the same seed."""
    text = make_text(words, seed)
    assert len(text) == 4 * words
    assert text.endswith(".")
    assert set(text[:-1].split(" ")) <= set(WORDS)
    assert text == make_text(words, seed)
