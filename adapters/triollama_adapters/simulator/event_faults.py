"""Faults of the response: another status, wrong framing, lines that should not be there.

Owns the response that carries out one `Fault`. Where events pass first it counts them; a plain body
has one event, and a fault inside it comes in its middle.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from .encoding import Stamps, encode_json
from .faults import Fault
from .response import JSON, NDJSON, Ending, Header, Request, Response
from .wire_faults import FaultyWire

__all__ = ["FaultyResponse"]

_GARBAGE = '{"model":"x","created_at":}} not json'
_BOMB_VALUE = b"x" * 1000
_FAR_BYTES = 1 << 30
"""A Content-Length that no stream reaches."""
_HUGE_HEAD = b'{"model":"x","created_at":"2026-01-01T00:00:00Z","response":"'
_HUGE_TAIL = b'","message":{"role":"assistant","content":""},"done":false}\n'
_AFTER_DONE = (
    b'{"model":"x","created_at":"2026-01-01T00:00:00Z","response":"late",'
    b'"message":{"role":"assistant","content":"late"},"done":false}\n'
)
_CUTS = {
    "half_close": Ending.HALF_CLOSE,
    "truncated_chunk": Ending.CLOSE,
    "reset": Ending.RESET,
}


class FaultyResponse(Response):
    """A response that meets a fault.

    Args:
        wire: where to.
        request: the request that it answers.
        stamps: formats the date.
        fault: what happens.
    """

    def __init__(self, wire: FaultyWire, request: Request, stamps: Stamps, fault: Fault) -> None:
        super().__init__(wire, request, stamps)
        self._faulty = wire
        self._fault = fault
        self._events_left = fault.after_tokens
        self._zip = zlib.compressobj(wbits=31) if fault.kind == "gzip" else None
        steps: dict[str, Callable[[bytes, float], None]] = {
            "stall": self._stall,
            "half_close": self._half_close,
            "truncated_chunk": self._truncate,
            "garbage_line": self._garbage,
            "error_line": self._error_line,
            "huge_line": self._huge_line,
            "reset": self._reset,
        }
        has_byte = fault.kind == "reset" and fault.after_bytes is not None
        self._step = None if has_byte else steps.get(fault.kind)

    def preempt(self, now: float) -> None:
        """Answer in place of the real route, if that is the fault; else do nothing."""
        fault = self._fault
        if fault.kind == "refuse":
            self._finish(Ending.REFUSE)
        elif fault.kind == "status":
            after = fault.retry_after
            headers = [(b"Retry-After", after.encode())] if after is not None else []
            text = fault.text if fault.text is not None else f"simulated failure {fault.status}"
            super().reply(fault.status, JSON, encode_json({"error": text}), now, headers=headers)
        elif fault.kind == "redirect":
            status = fault.status if 300 <= fault.status < 400 else 307
            where = (fault.text or "http://169.254.169.254/").encode()
            super().reply(status, b"", b"", now, headers=[(b"Location", where)])

    @property
    def ending(self) -> Ending:
        """What becomes of the connection after a good end: a wrong length ends it too."""
        return Ending.CLOSE if self._fault.kind == "wrong_length" else super().ending

    # ---- a whole body

    def reply(
        self,
        status: int,
        content_type: bytes,
        body: bytes,
        now: float,
        *,
        headers: Sequence[Header] = (),
        streamed: bool = False,
    ) -> None:
        """Send a whole response, with the fault."""
        if self._zip is not None:
            body = self._zip.compress(body) + self._zip.flush()
        elif self._fault.kind == "garbage_line":
            body = self._garbage_text()
        elif self._fault.kind == "error_line":
            status, body = 500, encode_json({"error": self._error_text()})
        super().reply(status, content_type, body, now, headers=headers, streamed=streamed)

    def _send_whole(self, head: bytes, payload: bytes) -> None:
        ending = _CUTS.get(self._fault.kind) if self._step is not None else None
        if self._fault.kind == "stall":
            self._faulty.hold(self._fault.seconds)
        if ending is None:
            super()._send_whole(head, payload)
        else:
            self._wire.write(head + payload[: len(payload) // 2])
            self._finish(ending)

    # ---- a stream of events

    def open(self, now: float) -> None:
        """Send the head of a stream; a wrong length stands in place of the chunks."""
        if self._fault.kind != "wrong_length":
            super().open(now)
            return
        count, self.started = self._fault.count, True
        self._wire.write(self._head(200, NDJSON, now, length=_FAR_BYTES if count > 0 else 0))

    def events(self, lines: list[bytes], now: float) -> None:
        """Send events, one by one while the fault's turn has not come."""
        if self._zip is not None:
            lines = [self._zip.compress(b"".join(lines)) + self._zip.flush(zlib.Z_SYNC_FLUSH)]
        for line in lines:
            step = self._step
            if step is not None and not self._events_left:
                self._step = None
                step(line, now)
            self._events_left -= 1
            if self.over:
                return
            super().events([line], now)

    def close(self, last: bytes | None, now: float) -> None:
        """Send the last event, with the fault, and end the stream."""
        kind = self._fault.kind
        if last is not None and kind != "missing_done":
            self.events([last], now)
        if self.over:
            return
        if kind == "double_done" and last is not None:
            self.events([last], now)
        elif kind == "after_done":
            self.events([_AFTER_DONE], now)
        elif self._zip is not None:
            super().events([self._zip.flush()], now)
        super().close(None, now)

    # ---- what happens between two events

    def _stall(self, _line: bytes, _now: float) -> None:
        self._faulty.hold(self._fault.seconds)

    def _half_close(self, _line: bytes, now: float) -> None:
        self._opened(now)
        self._finish(Ending.HALF_CLOSE)

    def _reset(self, _line: bytes, _now: float) -> None:
        self._finish(Ending.RESET)

    def _truncate(self, line: bytes, now: float) -> None:
        self._opened(now)
        self._wire.write(b"%x\r\n%b" % (len(line), line[: len(line) // 2]))
        self._finish(Ending.CLOSE)

    def _garbage(self, _line: bytes, now: float) -> None:
        super().events([self._garbage_text() + b"\n"], now)

    def _error_line(self, _line: bytes, now: float) -> None:
        super().close(encode_json({"error": self._error_text()}) + b"\n", now)

    def _huge_line(self, _line: bytes, now: float) -> None:
        self._opened(now)
        size = max(0, self._fault.count - len(_HUGE_HEAD) - len(_HUGE_TAIL))
        total = size + len(_HUGE_HEAD) + len(_HUGE_TAIL)
        self._wire.write(b"%x\r\n%b" % (total, _HUGE_HEAD))
        self._faulty.write_filler(size)
        self._wire.write(_HUGE_TAIL + b"\r\n")

    # ---- parts

    def _opened(self, now: float) -> None:
        if not self.started:
            self.open(now)

    def _garbage_text(self) -> bytes:
        return (self._fault.text or _GARBAGE).encode()

    def _error_text(self) -> str:
        return self._fault.text or "an error was encountered while running the model: simulated"

    def _head(
        self,
        status: int,
        content_type: bytes,
        now: float,
        *,
        length: int | None,
        headers: Sequence[Header] = (),
    ) -> bytes:
        more, before = list(headers), b""
        kind, count = self._fault.kind, self._fault.count
        if kind == "header_bomb":
            more += [(b"X-Bomb-%d" % number, _BOMB_VALUE) for number in range(count)]
        elif kind == "gzip":
            more.append((b"Content-Encoding", b"gzip"))
        elif kind == "wrong_length" and length is not None:
            length = max(0, length + count)
        elif kind == "informational":
            before = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * count
        return before + super()._head(status, content_type, now, length=length, headers=more)
