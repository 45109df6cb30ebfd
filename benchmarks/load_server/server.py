"""The load server's one loop: accept, read requests, send what is due.

One `epoll` for the sockets, one `select` on it for waiting: `epoll.poll` by itself rounds its
timeout up to a whole millisecond, and the tick is for the plan to decide.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import sys
import time

from benchmarks.load_server import answers
from benchmarks.load_server.schedule import Ring

SAMPLE_S = 0.05
"""How often the server notes its own CPU time and what it has sent."""

PLACES_SPARE = 16
"""Places beyond the planned streams: a client that reconnects needs one before its old one goes."""

REQUEST_BYTES_MAX = 65_536
"""No client here sends a larger request."""

PENDING_BYTES_MAX = 65_536
"""What one slow stream may have waiting for its socket; beyond it, its turns are skipped."""


class _Connection:
    __slots__ = ("pending", "place", "received", "sent", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.pending = b""
        self.place: int | None = None
        self.sent = 0


class LoadServer:
    """Serves chat streams on a schedule, or one-line answers at once.

    Args:
        streams: Streams to expect; 0 answers every chat at once with a single line.
        interval_s: Time between two chunks of one stream, in seconds.
        tick_s: Least time between two turns of the loop, in seconds; see `plan.TICK_S`.
        chunks: Tokens of a stream before its terminal line; 0 means that it never ends by itself.
    """

    def __init__(self, streams: int, *, interval_s: float, tick_s: float, chunks: int = 0) -> None:
        self._chunks = chunks
        self._tick_s = tick_s
        self._is_streaming = streams > 0
        self._ring: Ring[_Connection] = Ring(streams + PLACES_SPARE, interval_s)
        self._connections: dict[int, _Connection] = {}
        self._sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=65_535)
        self._listener.settimeout(0)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self.samples: list[tuple[float, float, int]] = []
        """(monotonic time in s, own CPU time in s, chunks or answers sent), oldest first."""

    @property
    def port(self) -> int:
        """The loopback port that it listens on."""
        return self._listener.getsockname()[1]

    def run(self, control: int) -> None:
        """Serve until the control descriptor (a pipe's reading end) has something or is closed."""
        self._epoll.register(control, select.EPOLLIN)
        started_s = time.monotonic()
        sample_s = 0.0
        while True:
            elapsed_s = time.monotonic() - started_s
            for connection in self._ring.take_due(elapsed_s):
                self._send_next(connection)
            if elapsed_s >= sample_s:
                self._sample()
                sample_s = elapsed_s + SAMPLE_S
            due_s = self._ring.next_due_s() if self._is_streaming else sample_s
            wake_s = started_s + max(due_s, elapsed_s + self._tick_s)
            wait_s = max(0.0, wake_s - time.monotonic())
            if select.select([self._epoll], [], [], wait_s)[0] and self._serve_ready(control):
                self._sample()
                return

    def _serve_ready(self, control: int) -> bool:
        for descriptor, _ in self._epoll.poll(0):
            if descriptor == control:
                return True
            connection = self._connections.get(descriptor)
            if connection is None:
                self._accept_all()
            else:
                self._receive(connection)
        return False

    def _sample(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.samples.append((time.monotonic(), usage.ru_utime + usage.ru_stime, self._sent))

    def _accept_all(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[sock.fileno()] = _Connection(sock)
            self._epoll.register(sock, select.EPOLLIN)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.sock.recv(REQUEST_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.received += data
        if not data or len(connection.received) > REQUEST_BYTES_MAX:
            self._close(connection)
            return
        while (request := _take_request(connection)) is not None:
            self._answer(connection, *request)

    def _answer(self, connection: _Connection, path: bytes, body: bytes) -> None:
        if path != b"/api/chat":
            self._send(connection, answers.OTHERS.get(path, answers.NOT_FOUND))
        elif self._is_streaming:
            self._open_stream(connection)
        else:
            self._sent += 1
            wants_one = b'"stream":false' in body.replace(b" ", b"")
            self._send(connection, answers.ONE_OBJECT if wants_one else answers.ONE_LINE)

    def _open_stream(self, connection: _Connection) -> None:
        connection.sent = 0
        connection.place = self._ring.join(connection)
        if connection.place is None:
            self._send(connection, answers.FULL)

    def _send_next(self, connection: _Connection) -> None:
        if len(connection.pending) > PENDING_BYTES_MAX:
            self._send(connection, b"")
            return
        data = answers.TOKENS[connection.sent % len(answers.TOKENS)]
        if connection.sent == 0:
            data = answers.STREAM_HEAD + data
        elif self._chunks and connection.sent >= self._chunks:
            data = answers.LAST
            self._leave(connection)
        connection.sent += 1
        self._sent += 1
        self._send(connection, data)

    def _send(self, connection: _Connection, data: bytes) -> None:
        if connection.pending:
            data = connection.pending + data
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            connection.pending = data
            return
        except OSError:
            self._close(connection)
            return
        connection.pending = data[sent:] if sent < len(data) else b""

    def _leave(self, connection: _Connection) -> None:
        if connection.place is not None:
            self._ring.leave(connection.place)
            connection.place = None

    def _close(self, connection: _Connection) -> None:
        self._leave(connection)
        if self._connections.pop(connection.sock.fileno(), None) is not None:
            connection.sock.close()  # which takes it out of the epoll set too


def _take_request(connection: _Connection) -> tuple[bytes, bytes] | None:
    """Cut one whole request off the received bytes; return its path and body."""
    head, found, rest = connection.received.partition(b"\r\n\r\n")
    if not found:
        return None
    length = 0
    for header in head.split(b"\r\n")[1:]:
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if len(rest) < length:
        return None
    connection.received = rest[length:]
    return head.split(b" ", 2)[1], rest[:length]


def serve(server: LoadServer) -> None:
    """Print the port as a JSON line, serve until stdin closes, print the samples as another."""
    print(json.dumps({"port": server.port}), flush=True)
    server.run(sys.stdin.fileno())
    print(json.dumps({"samples": server.samples}), flush=True)
