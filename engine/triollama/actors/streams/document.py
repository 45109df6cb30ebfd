"""Answers that are one JSON document, and what a worker needs of any answer's way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from triollama._config import EngineConfig
from triollama._errors import AnswerTooLargeError, TriollamaError
from triollama.wire.flow import FlowControl

D = TypeVar("D")


class Inflow(Protocol):
    """What a worker needs of an inflow: a `ByteSink` with a beginning and an end."""

    sent_ns: int
    """When the last attempt's request was handed to the transport."""
    received_bytes: int
    """All bytes of the body so far, over all attempts: the watchdog looks whether it grows."""
    on_whole: Callable[[], None] | None
    """Called when the terminal line came; the body's own end may still be missing."""

    @property
    def is_paused(self) -> bool:
        """Whether the reader is the one who is waited for."""

    @property
    def has_output(self) -> bool:
        """Whether anything of the answer can have reached the reader."""

    @property
    def is_whole(self) -> bool:
        """Whether the terminal line came."""

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""

    def finish(self) -> None:
        """The body has ended cleanly.

        Raises:
            TruncatedError: without the terminal line.
        """

    def close(self, error: TriollamaError | None) -> None:
        """No more will come; the first call counts."""


class DocumentInflow(Generic[D]):
    """An answer that is one JSON document.

    Args:
        decode: reads the whole body.
        config: the limits.
    """

    def __init__(self, decode: Callable[[bytes], D], config: EngineConfig) -> None:
        self.sent_ns = 0
        self.received_bytes = 0
        self.is_whole = False
        self.error: TriollamaError | None = None
        self.value: D | None = None
        self.on_whole: Callable[[], None] | None = None
        self._decode = decode
        self._answer_bytes_max = config.answer_bytes_max
        self._pieces: list[bytes] = []
        self._held_bytes = 0

    @property
    def is_paused(self) -> bool:
        """Never: there is no reader who could be slow."""
        return False

    @property
    def has_output(self) -> bool:
        """Never: nothing reaches the caller before the whole."""
        return False

    def bind(self, _: FlowControl) -> None:
        """See `ByteSink`. What an earlier attempt brought is forgotten."""
        self._pieces.clear()
        self._held_bytes = 0

    def feed(self, data: bytes) -> None:
        """See `ByteSink`."""
        self.received_bytes += len(data)
        self._pieces.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > self._answer_bytes_max:
            raise AnswerTooLargeError(f"the answer is over {self._answer_bytes_max} bytes")

    def finish(self) -> None:
        """See `Inflow`.

        Raises:
            ProtocolError: it is not the document that it should be.
        """
        self.value = self._decode(b"".join(self._pieces))
        self._pieces.clear()
        self.is_whole = True

    def close(self, error: TriollamaError | None) -> None:
        """See `Inflow`."""
        self.error = error
