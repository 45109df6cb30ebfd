"""What a run and its workers tell each other, and its form on a pipe. No IO.

A frame is its length, four bytes, the most significant first, and so many bytes of MessagePack.
The plan in `Begin` is JSON, as everywhere else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = [
    "FRAME_BYTES_MAX",
    "Begin",
    "Died",
    "FrameError",
    "Frames",
    "Go",
    "News",
    "Order",
    "Progressed",
    "Ready",
    "Sampled",
    "Stop",
    "Tallied",
    "frame",
    "read_news",
    "read_orders",
]

FRAME_BYTES_MAX: Final = 256 << 20
"""The largest frame, a tally or the first order, is a few MB; what is longer is none of ours."""

_LENGTH: Final = struct.Struct(">I")


class FrameError(Exception):
    """What came is no frame: something else writes to the pipe, or it is another version's."""


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first order: get ready.

    Attributes:
        plan: the whole run's, as JSON; its headers are secrets.
        process: which of its processes the worker is, from 0.
        facts: what `preflight` found.
        with_samples: whether every sample is wanted.
    """

    plan: bytes
    process: int
    facts: Facts
    with_samples: bool = False


class Go(msgspec.Struct, frozen=True, tag=True):
    """Begin the load.

    Attributes:
        start_ns: when the run begins, on the worker's own ``perf_counter_ns``, which on one machine
            is everybody's; a little ahead, so that all of them have heard it.
    """

    start_ns: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the load, and tell what there is so far."""


Order: TypeAlias = Begin | Go | Stop


class Ready(msgspec.Struct, frozen=True, tag=True):
    """A worker waits for `Go`.

    Attributes:
        pid: of its process.
        version: of triollama and Python, which must be the same on both sides.
    """

    pid: int
    version: str


class Progressed(msgspec.Struct, frozen=True, tag=True):
    """How far a worker is; also told by one that waits, so that it is known to live.

    Attributes:
        progress: of this worker alone.
    """

    progress: Progress


class Sampled(msgspec.Struct, frozen=True, tag=True):
    """Requests that are over.

    Attributes:
        samples: in the order in which they ended.
    """

    samples: list[Sample]


class Tallied(msgspec.Struct, frozen=True, tag=True):
    """The last news of a worker that did its part.

    Attributes:
        tally: a `Tally`, encoded.
    """

    tally: bytes


class Died(msgspec.Struct, frozen=True, tag=True):
    """The last news of a worker that could not.

    Attributes:
        text: why, in one line, without secrets.
        blame: ``plan`` or ``target``, if it is a `PlanError` or a `TargetError`: then no worker can
            go on. Else ``worker``.
    """

    text: str
    blame: Literal["plan", "target", "worker"] = "worker"


News: TypeAlias = Ready | Progressed | Sampled | Tallied | Died

_T = TypeVar("_T")
_encode: Final = msgspec.msgpack.Encoder().encode


def frame(what: Order | News) -> bytes:
    """A message as it goes over a pipe."""
    body = _encode(what)
    return _LENGTH.pack(len(body)) + body


class Frames(Generic[_T]):
    """Takes bytes as they come, and gives the messages that are complete.

    Args:
        decoder: of the messages that may come.
    """

    def __init__(self, decoder: msgspec.msgpack.Decoder[_T]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    @property
    def is_torn(self) -> bool:
        """Whether a message has begun that is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[_T]:
        """Take bytes; iterate to the end before the next call.

        Raises:
            FrameError: they are no frames.
        """
        self._buffer += data
        at, end = 0, len(self._buffer)
        while end - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if length > FRAME_BYTES_MAX:
                raise FrameError(f"{length} bytes are too many for a frame")
            if end - at < _LENGTH.size + length:
                break
            body = bytes(self._buffer[at + _LENGTH.size : at + _LENGTH.size + length])
            at += _LENGTH.size + length
            try:
                yield self._decoder.decode(body)
            except msgspec.DecodeError as error:
                raise FrameError(f"a frame holds something else: {error}") from error
        del self._buffer[:at]


def read_orders() -> Frames[Order]:
    """A reader of what workers are told."""
    return Frames(msgspec.msgpack.Decoder(Begin | Go | Stop))


def read_news() -> Frames[News]:
    """A reader of what workers tell."""
    return Frames(msgspec.msgpack.Decoder(Ready | Progressed | Sampled | Tallied | Died))
