"""What the load server really sent, and when: a file like the simulator's own log."""

from __future__ import annotations

import time
from pathlib import Path
from zlib import crc32

import attrs
import msgspec

from benchmarks.load_server.connection import Connection
from triollama_adapters.simulator.truth import Send, Truth


class _Message(msgspec.Struct):
    content: str = ""


class _Body(msgspec.Struct):
    messages: list[_Message] = []
    prompt: str = ""


@attrs.define
class Noted:
    """A stream under way.

    Attributes:
        number: Its place among all.
        path: Of its request.
        prompt: See `Truth.prompt`.
        arrived_ns: When its request had been read.
        sends: So far.
    """

    number: int
    path: str
    prompt: int
    arrived_ns: int
    sends: list[Send] = attrs.field(factory=list)


class TruthFile:
    """Notes what is sent, and writes a line for each stream that ends.

    Args:
        path: A file, which is written anew.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._read = msgspec.json.Decoder(_Body).decode
        self._encode = msgspec.json.Encoder().encode
        self._open: dict[Connection, Noted] = {}
        self._count = 0

    def begin(self, connection: Connection, path: bytes, body: bytes) -> None:
        """A stream begins."""
        now_ns = time.perf_counter_ns()
        asked = self._read(body)
        words = asked.messages[-1].content if asked.messages else asked.prompt
        prompt = crc32(words.encode())
        self._open[connection] = Noted(self._count, path.decode(), prompt, now_ns)
        self._count += 1

    def note(self, connection: Connection, called_ns: int, events: int) -> None:
        """A write has returned."""
        took_ns = time.perf_counter_ns() - called_ns
        noted = self._open.get(connection)
        if noted is None:
            return  # the client has gone meanwhile
        noted.sends.append(Send(called_ns - noted.arrived_ns, took_ns, events))

    def end(self, connection: Connection, *, tokens: int = 0) -> None:
        """A stream is over; of one that the client left, no line is written."""
        noted = self._open.pop(connection, None)
        if noted is None or not tokens:
            return
        truth = Truth(
            noted.number,
            noted.path,
            noted.arrived_ns,
            prompt=noted.prompt,
            ended_ns=time.perf_counter_ns(),
            ending="keep",
            tokens=tokens,
            sends=tuple(noted.sends),
        )
        self._file.write(self._encode(truth) + b"\n")
