"""Usage: sums and the wait for a slot."""

from __future__ import annotations

import pytest

from triollama.api import Usage


def test_the_wait_for_a_slot_is_what_remains() -> None:
    """Total minus load, prefill and decode, and never negative."""
    assert Usage(total_ns=100, load_ns=10, prefill_ns=20, decode_ns=30).slot_wait_ns == 40
    assert Usage(total_ns=50, load_ns=10, prefill_ns=20, decode_ns=30).slot_wait_ns == 0


def test_attempts_are_summed_field_by_field() -> None:
    """What a continued answer cost in all."""
    assert Usage(1, 2, 3, 4, 5, 6) + Usage(10, 20, 30, 40, 50, 60) == Usage(11, 22, 33, 44, 55, 66)
    assert sum([Usage(1), Usage(2)], Usage()) == Usage(3)


def test_only_usage_can_be_added() -> None:
    """Anything else is a TypeError, as for other types."""
    with pytest.raises(TypeError):
        Usage() + 1
