"""What really happened to each request, as a file: the answer that a load test has to find.

Owns one file of JSON lines, a line for each request when it is over. A request's wire is wrapped,
so that each write is stamped when it is called and when it returns; nothing is wrapped, stamped or
kept where nobody asked for the file. All times are nanoseconds of `time.perf_counter_ns`, which on
Linux is one clock for all processes of a machine.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from .response import Ending, Request, Wire
from .routes import is_control

if TYPE_CHECKING:
    from .embed_job import EmbedJob
    from .text_job import TextJob

__all__ = ["Send", "Truth", "TruthLog", "read_truth"]

_NS = 1_000_000_000
_GONE = "gone"
_END = b"0\r\n\r\n"
_ENDINGS = {ending: ending.name.lower() for ending in Ending}


class Send(msgspec.Struct, frozen=True, array_like=True):
    """One write to a client's socket.

    Attributes:
        called_ns: when the call was made, after the request's arrival.
        took_ns: how long it took to return; what the socket did not take then went later.
        events: events of the answer in it: chunks of HTTP, the last event and none of the framing
            included. Events behind a fault of the framing are not told apart.
    """

    called_ns: int
    took_ns: int
    events: int


class Truth(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request.

    Attributes:
        number: its place among all, from 0, in the order of their arrival.
        path: its path, without a query.
        arrived_ns: when its last byte had been read.
        prompt: CRC-32 of the last words asked, in UTF-8, by which it is found again; 0 for a
            request without inference, or one that was refused before.
        loaded_ns: when it had a loaded model; 0 if it never had. So the others.
        slot_ns: when it had a slot.
        read_ns: when its prompt was read.
        written_ns: when its last token was written.
        ended_ns: when its response was over, its bytes handed to the socket, or its client gone.
        ending: what became of the connection, ``keep`` after a good answer; ``gone`` if the client
            left.
        prompt_tokens: read.
        tokens: written.
        sends: each write.
    """

    number: int
    path: str
    arrived_ns: int
    prompt: int = 0
    loaded_ns: int = 0
    slot_ns: int = 0
    read_ns: int = 0
    written_ns: int = 0
    ended_ns: int = 0
    ending: str = _GONE
    prompt_tokens: int = 0
    tokens: int = 0
    sends: tuple[Send, ...] = ()

    @property
    def event_times_ns(self) -> list[int]:
        """When the write of each event returned; those of one write share its time."""
        sends = (send for send in self.sends if send.events)
        return [
            self.arrived_ns + send.called_ns + send.took_ns
            for send in sends
            for _ in range(send.events)
        ]


class TruthLog:
    """Writes the file.

    Args:
        path: the file; there must not be one.
        now: the simulator's clock, which has to be as fast as ``perf_counter``, as trio's is.

    Raises:
        OSError: it cannot be made, or is there.
    """

    def __init__(self, path: Path, now: float) -> None:
        # Unbuffered: who kills a server still finds all requests that were over by then.
        self._file: io.FileIO = path.open("xb", buffering=0)
        self._zero_ns = time.perf_counter_ns() - round(now * _NS)
        self._encode = msgspec.json.Encoder().encode
        self._open: dict[Wire, _StampedWire] = {}
        self._count = 0

    def wire(self, request: Request, wire: Wire) -> Wire:
        """Give the wire for the next response, whose writes are noted."""
        path = request.target.partition("?")[0]
        if is_control(path):
            return wire
        stamped = self._open[wire] = _StampedWire(self, wire, self._count, path)
        self._count += 1
        return stamped

    def follow(self, wire: Wire, job: TextJob | EmbedJob | None) -> None:
        """Say what a request became; nothing if its response is over already."""
        stamped = self._open.get(wire)
        if stamped is not None:
            stamped.job = job

    def lose(self, wire: Wire) -> None:
        """The client of a wire has gone."""
        stamped = self._open.get(wire)
        if stamped is not None:
            self.write(stamped, _GONE)

    def close(self) -> None:
        """Close the file; requests under way are written as lost."""
        for wire in list(self._open):
            self.lose(wire)
        self._file.close()

    def write(self, stamped: _StampedWire, ending: str) -> None:
        """Write the line of a request."""
        self._open.pop(stamped.wire, None)
        if not self._file.closed:
            self._file.write(self._encode(self._truth(stamped, ending)) + b"\n")

    def _truth(self, stamped: _StampedWire, ending: str) -> Truth:
        job, usage = stamped.job, stamped.job and stamped.job.usage
        slot_ns = self._ns(job.began) if job else 0
        return Truth(
            number=stamped.number,
            path=stamped.path,
            arrived_ns=stamped.arrived_ns,
            prompt=crc32(job.asked.encode("utf-8", "replace")) if job else 0,
            loaded_ns=self._ns(job.obtained) if job else 0,
            slot_ns=slot_ns,
            read_ns=slot_ns + usage.prompt_ns if usage else 0,
            written_ns=slot_ns + usage.prompt_ns + usage.eval_ns if usage else 0,
            ended_ns=time.perf_counter_ns(),
            ending=ending,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            tokens=usage.tokens if usage else 0,
            sends=tuple(stamped.sends),
        )

    def _ns(self, at: float) -> int:
        """A time of the simulator's clock; 0 is never."""
        return self._zero_ns + round(at * _NS) if at else 0


class _StampedWire:
    """A wire whose writes are noted."""

    def __init__(self, log: TruthLog, wire: Wire, number: int, path: str) -> None:
        self._log = log
        self._write = wire.write
        self.wire = wire
        self.number = number
        self.path = path
        self.arrived_ns = time.perf_counter_ns()
        self.job: TextJob | EmbedJob | None = None
        self.sends: list[Send] = []

    def write(self, data: bytes) -> None:
        """Send bytes, and note when."""
        called_ns = time.perf_counter_ns()
        self._write(data)
        took_ns = time.perf_counter_ns() - called_ns
        self.sends.append(Send(called_ns - self.arrived_ns, took_ns, _events(data)))

    def finish(self, ending: Ending) -> None:
        """The response is over."""
        self._log.write(self, _ENDINGS[ending])
        self.wire.finish(ending)


def _events(data: bytes) -> int:
    """Count events: each is a chunk of HTTP, which has two line ends, and has none in itself."""
    if data == _END:
        return 0
    if not data.startswith(b"HTTP/"):
        return data.count(b"\r\n") // 2
    head, _, rest = data.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" not in head:
        return int(bool(rest))
    return rest.removesuffix(_END).count(b"\r\n") // 2


def read_truth(path: Path) -> list[Truth]:
    """Read the file of a `TruthLog`, in the order of arrival.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError: a line is none of a log; the last one may be half of one, as of a
            server that was killed, and is left out.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    found = [msgspec.json.decode(line, type=Truth) for line in whole]
    return sorted(found, key=lambda truth: truth.number)
