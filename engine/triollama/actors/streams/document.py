"""Answers that are one JSON document, and what a worker needs of any answer's way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from triollama._config import EngineConfig, Pricing
from triollama._errors import AnswerTooLargeError, TriollamaError
from triollama.actors.streams.resume import Delivered, Way
from triollama.api import Usage
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
    on_first: Callable[[], None] | None
    """Called once, when the first part of an attempt's answer came."""

    @property
    def is_paused(self) -> bool:
        """Whether the reader is the one who is waited for."""

    @property
    def usage(self) -> Usage | None:
        """Tokens and times of a streamed answer that is whole."""

    def charge(self, prices: Pricing, model: str, endpoint: str) -> None:
        """Put into `usage` what a whole answer cost."""

    @property
    def characters(self) -> int:
        """Text and thinking that have arrived of a streamed answer."""

    def begin(self, way: Way, model: str) -> None:
        """Be ready for another attempt, made in this way, with the model's name as it is sent."""

    def delivered(self) -> Delivered:
        """What has arrived of the answer, by all attempts."""

    def conclude(self, reason: str) -> None:
        """The answer is whole, for this ``done_reason``, though its terminal line did not come."""

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
        self.on_first: Callable[[], None] | None = None
        self._decode = decode
        self._answer_bytes_max = config.answer_bytes_max
        self._pieces: list[bytes] = []
        self._held_bytes = 0

    @property
    def is_paused(self) -> bool:
        """Never: there is no reader who could be slow."""
        return False

    @property
    def usage(self) -> None:
        """See `Inflow`."""
        return None

    def charge(self, prices: Pricing, model: str, endpoint: str) -> None:
        """See `Inflow`; a document's tokens are counted where it is read."""

    @property
    def characters(self) -> int:
        """See `Inflow`."""
        return 0

    def begin(self, way: Way, model: str) -> None:
        """See `Inflow`: nothing to do, `bind` forgets what an earlier attempt brought."""

    def delivered(self) -> Delivered:
        """See `Inflow`: nothing, since nothing reaches the caller before the whole."""
        return Delivered(seen=False)

    def conclude(self, reason: str) -> None:
        """See `Inflow`: never, since a document is not limited in tokens."""
        raise AssertionError(reason)

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`. What an earlier attempt brought is forgotten."""
        self.sent_ns = flow.sent_ns or self.sent_ns
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
        self.on_whole = self.on_first = None
