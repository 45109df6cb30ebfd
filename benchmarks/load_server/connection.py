"""One client's connection, as the load server keeps it, and the cutting of its requests."""

from __future__ import annotations

import socket

from benchmarks.load_server.answers import OLLAMA

REQUEST_BYTES_MAX = 65_536
"""No client here sends a larger request."""


class Connection:
    """A socket, what came from it and what still has to go to it.

    Attributes:
        sock: Non-blocking.
        received: Of a request that is not whole yet.
        pending: What the socket did not take.
        place: In the schedule, while it carries a stream.
        form: How its stream is worded.
        sent: Chunks of its stream so far.
    """

    __slots__ = ("form", "pending", "place", "received", "sent", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.pending = b""
        self.place: int | None = None
        self.form = OLLAMA
        self.sent = 0

    def receive(self) -> bool:
        """Take what has come; return whether the client is still there."""
        try:
            data = self.sock.recv(REQUEST_BYTES_MAX)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.received += data
        return bool(data) and len(self.received) <= REQUEST_BYTES_MAX

    def take_request(self) -> tuple[bytes, bytes] | None:
        """Cut one whole request off what has come; return its path and body."""
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = 0
        for header in head.split(b"\r\n")[1:]:
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return None
        self.received = rest[length:]
        return head.split(b" ", 2)[1], rest[:length]

    def send(self, data: bytes) -> bool:
        """Send what was pending and this, as far as it goes; return whether the client is there."""
        if self.pending:
            data = self.pending + data
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            self.pending = data
            return True
        except OSError:
            return False
        self.pending = data[sent:] if sent < len(data) else b""
        return True
