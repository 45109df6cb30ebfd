"""Texts and durations as a terminal or a log may have them. No IO."""

from __future__ import annotations

__all__ = ["clock", "cut", "one_line", "plain"]


def clock(seconds: float) -> str:
    """A duration as a clock has it: ``2:05``, ``1:02:05``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def cut(text: str, columns: int) -> str:
    """A text that has no more than so many characters."""
    return text if len(text) <= columns else text[: max(0, columns - 1)] + "…"


def one_line(text: str) -> str:
    """A text that another machine sent, as one line that cannot drive a terminal."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def plain(text: str) -> str:
    """A text that another machine sent, without what could drive a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
