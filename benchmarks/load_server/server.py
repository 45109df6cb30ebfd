"""The load server's one loop: accept, read requests, send what is due.

One `epoll` for the sockets, one `select` on it for waiting: `epoll.poll` by itself rounds its
timeout up to a whole millisecond, and the tick is for the plan to decide.
"""

from __future__ import annotations

import json
import math
import resource
import select
import socket
import sys
import time
from pathlib import Path

from benchmarks.load_server import answers
from benchmarks.load_server.connection import Connection
from benchmarks.load_server.openai_answers import OPENAI
from benchmarks.load_server.report import ClosingLog, LatenessLog, Sample, ServerReport
from benchmarks.load_server.schedule import Ring
from benchmarks.load_server.truth import TruthFile

SAMPLE_S = 0.05
"""How often the server notes its own CPU time and what it has sent."""

PLACES_SPARE = 16
"""Places beyond the planned streams: a client that reconnects needs one before its old one goes."""

PENDING_BYTES_MAX = 65_536
"""What one slow stream may have waiting for its socket; beyond it, its turns are skipped."""

FLOOD_BUFFER_BYTES = 65_536
"""What the kernel keeps of a stream that is sent as fast as it goes: a few hundred chunks, and not
the megabytes that it would grow to by itself, times a thousand."""

FLOOD_AFTER_S = 0.3
"""From the opening of the last stream to the flood. A client that is flooded while it still opens
some is slow to open them, and slow to see that its window has begun: asyncio looks at its clocks
only after all that is ready, which then is seconds of work."""

FORMS = {b"/api/chat": answers.OLLAMA, b"/v1/chat/completions": OPENAI}
"""How a chat is answered, by the path of its request."""


class LoadServer:
    """Serves chat streams on a schedule, or short answers at once.

    Args:
        streams: Streams to expect; 0 answers every chat at once.
        tokens: Tokens of an answer, each in a line of its own; 0: an answer at once is a single
            line, and a stream does not end.
        interval_s: Time between two chunks of one stream, in seconds; 0 sends as fast as the
            sockets take it, many chunks with one call.
        tick_s: Least time between two turns of the loop, in seconds; see `plan.TICK_S`.
        is_stamped: Whether each token's text is the time at which it is sent.
        is_prompt: Whether a stream's first token is sent at once.
        truth: A file for when each chunk of the streams was sent, see `TruthFile`; None for none.
    """

    def __init__(
        self,
        streams: int,
        *,
        interval_s: float,
        tick_s: float,
        tokens: int = 0,
        is_stamped: bool = False,
        is_prompt: bool = False,
        truth: Path | None = None,
    ) -> None:
        self._streams = streams
        self._tokens = tokens
        self._truth = TruthFile(truth) if truth is not None else None
        self._forms = {**FORMS, b"/api/chat": answers.of_tokens(tokens)} if tokens else FORMS
        self._tick_s = tick_s
        self._is_flooding = streams > 0 and not interval_s
        self._is_scheduled = streams > 0 and not self._is_flooding
        self._flood_s = math.inf
        self._is_stamped = is_stamped
        self._is_prompt = is_prompt
        self._ring: Ring[Connection] = Ring(
            streams + PLACES_SPARE, interval_s or 1.0, is_scattered=bool(tokens)
        )
        self._connections: dict[int, Connection] = {}
        self._sent = 0
        self._samples: list[Sample] = []
        self._lateness = LatenessLog()
        self._closings = ClosingLog()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=65_535)
        self._listener.settimeout(0)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)

    @property
    def port(self) -> int:
        """The loopback port that it listens on."""
        return int(self._listener.getsockname()[1])

    def report(self) -> ServerReport:
        """Return what was noted so far."""
        closings = self._closings.summary(self._ring.count)
        return ServerReport(self._samples, self._lateness.summary(), closings)

    def run(self, control: int) -> None:
        """Serve until the control descriptor (a pipe's reading end) has something or is closed."""
        self._epoll.register(control, select.EPOLLIN)
        started_s = time.monotonic()
        sample_s = 0.0
        while True:
            elapsed_s = time.monotonic() - started_s
            if self._is_scheduled:
                self._send_due(started_s, elapsed_s)
            if elapsed_s >= sample_s:
                self._sample()
                sample_s = elapsed_s + SAMPLE_S
                if time.monotonic() >= self._flood_s:
                    self._open_floodgates()
            due_s = self._ring.next_due_s() if self._is_scheduled else sample_s
            wake_s = started_s + max(due_s, elapsed_s + self._tick_s)
            wait_s = max(0.0, wake_s - time.monotonic())
            if select.select([self._epoll], [], [], wait_s)[0] and self._serve_ready(control):
                self._sample()
                return

    def _serve_ready(self, control: int) -> bool:
        for descriptor, event in self._epoll.poll(0):
            if descriptor == control:
                return True
            connection = self._connections.get(descriptor)
            if connection is None:
                self._accept_all()
            elif event == select.EPOLLOUT:
                self._flood(connection)
            else:
                self._receive(connection)
        return False

    def _sample(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._samples.append((time.monotonic(), usage.ru_utime + usage.ru_stime, self._sent))

    def _accept_all(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._is_flooding:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FLOOD_BUFFER_BYTES)
            self._connections[sock.fileno()] = Connection(sock)
            self._epoll.register(sock, select.EPOLLIN)

    def _receive(self, connection: Connection) -> None:
        if not connection.receive():
            self._close(connection)
            return
        while (request := connection.take_request()) is not None:
            self._answer(connection, *request)

    def _answer(self, connection: Connection, path: bytes, body: bytes) -> None:
        form = self._forms.get(path)
        if form is None:
            self._send(connection, answers.OTHERS.get(path, answers.NOT_FOUND))
        elif self._streams:
            connection.form = form
            if self._truth is not None:
                self._truth.begin(connection, path, body)
            self._open_stream(connection)
        else:
            self._sent += 1
            self._send(connection, form.one_line if form.wants_stream(body) else form.one_object)

    def _open_stream(self, connection: Connection) -> None:
        connection.sent = 0
        connection.place = self._ring.join(connection)
        if connection.place is None:
            self._send(connection, answers.FULL)
        elif self._is_prompt or self._is_flooding:
            self._send_next(connection)
            if self._is_flooding and self._ring.count == self._streams:
                self._flood_s = time.monotonic() + FLOOD_AFTER_S

    def _open_floodgates(self) -> None:
        self._flood_s = math.inf
        for each in self._connections.values():
            if each.place is not None:
                self._epoll.modify(each.sock, select.EPOLLIN | select.EPOLLOUT)

    def _send_due(self, started_s: float, elapsed_s: float) -> None:
        is_full, now_s, lates_s = self._ring.count == self._streams, time.monotonic, []
        for due_s, connection in self._ring.take_turns(elapsed_s):
            self._send_next(connection)
            lates_s.append(now_s() - started_s - due_s)
        if is_full and lates_s:
            self._lateness.note(lates_s)

    def _send_next(self, connection: Connection) -> None:
        if len(connection.pending) > PENDING_BYTES_MAX:
            self._send(connection, b"")
            return
        form = connection.form
        if self._is_stamped:
            data = form.stamped(time.perf_counter_ns())
        else:
            data = form.tokens[connection.sent % len(form.tokens)]
        if connection.sent == 0:
            data = form.head + data
        connection.sent += 1
        self._sent += 1
        is_last = connection.sent == self._tokens
        called_ns = time.perf_counter_ns()
        self._send(connection, data + form.last if is_last else data)
        if self._truth is not None:
            self._truth.note(connection, called_ns, 2 if is_last else 1)
        if is_last:
            self._leave(connection)
            if self._truth is not None:
                self._truth.end(connection, tokens=self._tokens)

    def _flood(self, connection: Connection) -> None:
        data = b""
        if not connection.pending:
            data = connection.form.burst
            self._sent += len(connection.form.tokens)
        self._send(connection, data)

    def _send(self, connection: Connection, data: bytes) -> None:
        if not connection.send(data):
            self._close(connection)

    def _leave(self, connection: Connection) -> None:
        if connection.place is not None:
            self._ring.leave(connection.place)
            connection.place = None

    def _close(self, connection: Connection) -> None:
        if connection.place is not None:
            self._closings.note()
        self._leave(connection)
        if self._truth is not None:
            self._truth.end(connection)
        if self._connections.pop(connection.sock.fileno(), None) is not None:
            connection.sock.close()  # which takes it out of the epoll set too


def serve(server: LoadServer) -> None:
    """Print the port as a JSON line, serve until stdin closes, print the report as another."""
    print(json.dumps({"port": server.port}), flush=True)
    server.run(sys.stdin.fileno())
    print(server.report().encode(), flush=True)
