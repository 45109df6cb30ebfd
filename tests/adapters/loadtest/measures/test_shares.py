"""Shares and their intervals."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from triollama_adapters.loadtest.measures.shares import wilson


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (50, 100, 0.4038315, 0.5961685),
        (0, 0, 0.0, 1.0),
    ],
)
def test_known_intervals(count: int, total: int, low: float, high: float) -> None:
    """As published for the score interval without correction."""
    found = wilson(count, total)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


@given(st.integers(1, 10**7), st.data())
def test_an_interval_holds_its_share(total: int, data: st.DataObject) -> None:
    """And stays within [0, 1]."""
    count = data.draw(st.integers(0, total))
    found = wilson(count, total)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
