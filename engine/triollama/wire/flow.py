"""The two small interfaces between a connection and whoever takes its bytes.

A connection *pushes*: it calls `ByteSink.feed` in plain function calls, many streams in one turn of
the reactor, and no task is woken. The sink pushes back through the `FlowControl` that it was bound
to.
"""

from __future__ import annotations

from typing import Protocol


class FlowControl(Protocol):
    """What a sink may ask of the connection that feeds it."""

    received_ns: int
    """`time.perf_counter_ns` of the read that is being fed; stamped when the read returned."""
    sent_ns: int
    """The same of the moment when the request's first byte was handed to the socket; 0 if it is not
    known."""

    def pause(self) -> None:
        """Stop reading: the kernel's window fills and the server blocks. Idempotent."""

    def resume(self) -> None:
        """Read again. Idempotent."""


class ByteSink(Protocol):
    """Takes the body of one response."""

    def bind(self, flow: FlowControl) -> None:
        """Called once, before the first `feed`."""

    def feed(self, data: bytes) -> None:
        """Take a piece of the body. Never waits.

        Raises:
            TriollamaError: the body is not what it should be; the exchange fails with this.
        """
