"""Texts and durations as a terminal or a log may have them."""

from __future__ import annotations

import pytest

from triollama_adapters.words import clock, cut, one_line


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0:00"),
        (59.9, "0:59"),
        (125.0, "2:05"),
        (3_725.0, "1:02:05"),
        (360_000.0, "100:00:00"),
    ],
)
def test_a_duration(seconds: float, told: str) -> None:
    """Whole seconds; hours only if there are any."""
    assert clock(seconds) == told


def test_a_text_of_another_machine_is_one_line() -> None:
    """What could drive a terminal is a blank, and blanks are one."""
    assert one_line("\x1b[2J no\n\n model\tm\r\u202e") == "[2J no model m"


@pytest.mark.parametrize(("columns", "told"), [(4, "four"), (3, "fo…"), (1, "…")])
def test_a_text_that_is_cut(columns: int, told: str) -> None:
    """It says that something is missing."""
    assert cut("four", columns) == told
