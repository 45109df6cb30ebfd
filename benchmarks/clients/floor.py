"""The floor: bare epoll, `recv`, httptools and msgspec. No tasks, no event loop, no deadlines.

It gives a reader nothing (no back-pressure, no errors, no answer), and so shows what the same bytes
cost before any of that: parse, split into lines, decode each into a typed struct, read its text.
"""

from __future__ import annotations

import select
import socket
import time

import httptools

from benchmarks.clients.lines import decode, request_bytes
from benchmarks.measure import STEP_S, Measurement, Meter, Tally
from benchmarks.plan import Plan

RECV_BYTES = 65_536
"""As much as one `recv` takes; far more than a socket holds here."""


class _Stream:
    """One connection and its parser's callbacks."""

    __slots__ = ("_tail", "_tally", "feed", "is_open", "recv", "request", "sock")

    def __init__(self, sock: socket.socket, request: bytes, tally: Tally) -> None:
        self.sock = sock
        self.recv = sock.recv
        self.request = request
        self.is_open = False
        self._tail = b""
        self._tally = tally
        self.feed = httptools.HttpResponseParser(self).feed_data

    def on_body(self, body: bytes) -> None:
        tally = self._tally
        lines = (self._tail + body).split(b"\n") if self._tail else body.split(b"\n")
        self._tail = lines.pop()
        for line in lines:
            tally.characters += len(decode(line).message.content)
            tally.count += 1
        if not self.is_open:
            self.is_open = True
            tally.open += 1


class _Requests(_Stream):
    """The same, asking again as soon as an answer is whole."""

    __slots__ = ()

    def on_message_complete(self) -> None:
        self.sock.send(self.request)


def chunks(plan: Plan) -> Measurement:
    """Hold streams open and count their chunks."""
    return _run(plan, plan.streams, _Stream)


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight, each on its own connection, and count the answers."""
    return _run(plan, plan.in_flight, _Requests)


def hold(plan: Plan) -> Measurement:
    """Hold streams open and measure the memory that they take."""
    return _run(plan, plan.streams, _Stream)


def _run(plan: Plan, connections: int, kind: type[_Stream]) -> Measurement:
    tally, meter, epoll = Tally(), Meter(), select.epoll()
    meter.note_memory()
    streams = _open(plan, connections, kind, tally, epoll)
    while tally.open < connections:
        _pump(epoll, streams, STEP_S)
    _pump(epoll, streams, plan.settle_s)
    meter.begin(tally.count)
    _pump(epoll, streams, plan.window_s)
    return meter.end(tally.count)


def _open(
    plan: Plan, connections: int, kind: type[_Stream], tally: Tally, epoll: select.epoll
) -> dict[int, _Stream]:
    request = request_bytes(plan.port)
    streams = {}
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", plan.port))
        sock.settimeout(0)
        sock.send(request)
        epoll.register(sock, select.EPOLLIN)
        streams[sock.fileno()] = kind(sock, request, tally)
    return streams


def _pump(epoll: select.epoll, streams: dict[int, _Stream], duration_s: float) -> None:
    monotonic, poll = time.monotonic, epoll.poll
    until_s = monotonic() + duration_s
    while (left_s := until_s - monotonic()) > 0:
        for descriptor, _ in poll(left_s):
            stream = streams[descriptor]
            data = stream.recv(RECV_BYTES)
            if not data:
                raise ConnectionError("the load server closed a stream")
            stream.feed(data)
