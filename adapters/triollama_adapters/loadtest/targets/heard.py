"""What came of one answer, and when; told by an `AnswerSink` or by the engine's chunks. No IO."""

from __future__ import annotations

from typing import Any

__all__ = ["Heard"]


class Heard:
    """What came of one answer. Stamps are of ``perf_counter_ns``, 0 is never.

    Args:
        keeps_text: whether the answer's text is wanted, for the next turn.

    Attributes:
        stamps: of each chunk that said something.
        shown_ns: of the first one with content or a tool call.
        done_ns: of the end that the server tells.
        error: what the server said went wrong; empty for nothing.
        prompt_tokens: as told at the end; so the others, 0 if they are not.
        times_ns: total, load, prefill and decode, as told at the end; None if they are not.
        text: of the answer, if it is kept.
        tool_calls: of the answer, if it is kept.
    """

    __slots__ = (
        "_keeps_text",
        "done_ns",
        "error",
        "output_tokens",
        "prompt_tokens",
        "shown_ns",
        "stamps",
        "text",
        "times_ns",
        "tool_calls",
    )

    def __init__(self, *, keeps_text: bool = False) -> None:
        self._keeps_text = keeps_text
        self.stamps: list[int] = []
        self.shown_ns = 0
        self.done_ns = 0
        self.error = ""
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.times_ns: tuple[int, int, int, int] | None = None
        self.text: list[str] = []
        self.tool_calls: list[Any] = []

    def say(self, content: str | None, calls: list[Any] | None, now_ns: int) -> None:
        """A chunk said this, or thought something."""
        self.stamps.append(now_ns)
        if not self.shown_ns and (content or calls):
            self.shown_ns = now_ns
        if self._keeps_text:
            self.text.append(content or "")
            self.tool_calls += calls or ()
