"""What takes an answer: a `Sink`, fed by the connection. Plain function calls; no task is woken.

A stamp is the one of the read that brought the bytes (`FlowControl.received_ns`), so that several
lines of one read have the same.
"""

from __future__ import annotations

from typing import Any, Final

from triollama._errors import AnswerTooLargeError
from triollama.wire.flow import FlowControl

__all__ = ["Sink"]

ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024
"""What a server may send for one request; the largest embeddings are far below."""


class Sink:
    """What came of one answer; a `ByteSink`. Stamps are of ``perf_counter_ns``, 0 is never.

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
        "_flow",
        "_keeps_text",
        "_room_bytes",
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

    content_types: tuple[bytes, ...] = (b"application/x-ndjson", b"application/json")
    """Of an answer that is one."""

    def __init__(self, *, keeps_text: bool = False) -> None:
        self._flow: FlowControl | None = None
        self._keeps_text = keeps_text
        self._room_bytes = ANSWER_BYTES_MAX
        self.stamps: list[int] = []
        self.shown_ns = 0
        self.done_ns = 0
        self.error = ""
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.times_ns: tuple[int, int, int, int] | None = None
        self.text: list[str] = []
        self.tool_calls: list[Any] = []

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        self._flow = flow

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Nothing more will come: free it at once, without the garbage collector."""
        self._flow = None

    def finish(self) -> None:
        """The body has ended cleanly.

        Raises:
            ProtocolError: it is not what it should be.
        """

    def _spend(self, data: bytes) -> None:
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise AnswerTooLargeError(f"the answer is over {ANSWER_BYTES_MAX} bytes")

    def _say(self, content: str | None, calls: list[Any] | None, now_ns: int) -> None:
        """A chunk said this, or thought something."""
        self.stamps.append(now_ns)
        if not self.shown_ns and (content or calls):
            self.shown_ns = now_ns
        if self._keeps_text:
            self.text.append(content or "")
            self.tool_calls += calls or ()
