"""The floor: bare epoll, `recv`, httptools and msgspec. No tasks, no event loop, no deadlines.

It gives a reader nothing (no back-pressure, no errors, no answer), and so shows what the same bytes
cost before any of that: parse, split into lines, decode each into a typed struct, read its text.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from functools import partial

import httptools

from benchmarks.clients.lines import decode, request_bytes
from benchmarks.clients.moments import Arrivals
from benchmarks.measure import STEP_S, Measurement, Meter, Tally
from benchmarks.plan import Plan

RECV_BYTES = 65_536
"""As much as one `recv` takes; far more than a socket holds here."""

OPENING_STEP_S = 0.001
"""How often it is asked whether all streams are open, where that is what is measured."""


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


class _Stamped(_Stream):
    """The same, noting how long after its sending each chunk is there."""

    __slots__ = ("_take",)

    def __init__(
        self, sock: socket.socket, request: bytes, tally: Tally, *, arrivals: Arrivals
    ) -> None:
        super().__init__(sock, request, tally)
        self._take = arrivals.taker()

    def on_body(self, body: bytes) -> None:
        lines = (self._tail + body).split(b"\n")
        self._tail = lines.pop()
        for line in lines:
            self._take(decode(line).message.content)
            self._tally.count += 1
        if not self.is_open:
            self.is_open = True
            self._tally.open += 1


_Kind = Callable[[socket.socket, bytes, Tally], _Stream]


def chunks(plan: Plan) -> Measurement:
    """Hold streams open and count their chunks."""
    return _run(plan, plan.streams, _Stream)


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight, each on its own connection, and count the answers."""
    return _run(plan, plan.in_flight, _Requests)


def delays(plan: Plan) -> Measurement:
    """Hold stamped streams open and note how long after its sending each chunk is there."""
    arrivals = Arrivals(plan.streams, bool, is_stamped=True)
    return arrivals.with_delays(_run(plan, plan.streams, partial(_Stamped, arrivals=arrivals)))


def opening(plan: Plan) -> Measurement:
    """Open all streams, one after the other; the window ends with the first chunk of the last."""
    tally, meter, epoll = Tally(), Meter(), select.epoll()
    meter.begin()
    streams = _open(plan, plan.streams, _Stream, tally, epoll)
    while tally.open < plan.streams:
        _pump(epoll, streams, OPENING_STEP_S)
    return meter.end(tally.count)


def _run(plan: Plan, connections: int, kind: _Kind) -> Measurement:
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
    plan: Plan, connections: int, kind: _Kind, tally: Tally, epoll: select.epoll
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
