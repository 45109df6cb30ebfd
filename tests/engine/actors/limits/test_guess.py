"""Guesses of tokens: an upper bound where there can be one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.actors.limits import tokens_guess
from triollama.actors.limits.guess import ANSWER_TOKENS


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_with_a_limit_it_is_an_upper_bound(body_bytes: int, num_predict: int) -> None:
    """A token is at least a byte, and the answer no longer than it may be."""
    assert tokens_guess(body_bytes, num_predict) == body_bytes + num_predict


@pytest.mark.parametrize("num_predict", [None, 0, -1, -2])
def test_without_a_limit_it_is_a_guess(num_predict: int | None) -> None:
    """A quarter of the bytes, rounded up, and an answer of some paragraphs."""
    assert tokens_guess(0, num_predict) == ANSWER_TOKENS
    assert tokens_guess(401, num_predict) == 101 + ANSWER_TOKENS
