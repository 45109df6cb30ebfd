"""What is shown again and again, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from triollama_adapters.cli._live import DRAW_EVERY_S, WIDTH_MAX, open_picture


class Terminal(io.StringIO):
    """Text that claims to go to a terminal."""

    def isatty(self) -> bool:
        """So rich draws."""
        return True


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_environment")
def test_a_terminal_is_drawn_over() -> None:
    """Only the last picture is left, and the cursor is shown again."""
    out = Terminal()
    with open_picture(out) as picture:
        assert (picture.every_s, picture.width) == (DRAW_EVERY_S, 90)
        picture.show("first", "said")
        picture.show("last", "said")
    text = out.getvalue()
    assert text.index("first") < text.index("\x1b[2K") < text.index("last")
    assert text.endswith("\x1b[?25h")
    assert "said" not in text


def test_elsewhere_there_are_lines() -> None:
    """Each with its time, so that a log tells what happened when; no colours, no tables."""
    out = io.StringIO()
    with open_picture(out) as picture:
        assert picture.width == WIDTH_MAX
        picture.show("drawn", "one")
        picture.show("drawn", "two")
    assert out.getvalue() == "  0.0 s  one\n  0.0 s  two\n"
