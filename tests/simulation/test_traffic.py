"""The check of rates sees one request too many, and lets a full bucket pass."""

from __future__ import annotations

import pytest
from tests.simulation.traffic import is_too_much


@pytest.mark.parametrize(
    ("times_s", "too_much"),
    [
        ([], False),
        ([5.0, 5.0], False),  # the bucket of one second is full at first
        ([5.0, 5.0, 5.0], True),
        ([5.0, 5.0, 5.5], False),
        ([5.0, 5.0, 5.4], True),
        ([1.0, 9.0, 9.0, 9.0], True),  # no more than one second's worth is saved up
    ],
)
def test_two_per_second(times_s: list[float], *, too_much: bool) -> None:
    """Two requests at once, then one each half second, is the most."""
    assert is_too_much(times_s, 2.0, 1.0) is too_much
