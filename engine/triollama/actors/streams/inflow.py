"""The way of an answer from bytes to its reader; the hot path.

`ChunkInflow` is fed by the connection in plain function calls: bytes are cut into lines, decoded,
folded into the answer, and put into the queue that the reader takes from. Only a reader that waits
is woken. One that wants the whole answer is woken once, at the end. `Renewal` knows the attempts.

Bounds: a queue over `buffer_bytes_high` stops the reading of the socket until the queue is empty; a
line and an answer have their own limits.
"""

from __future__ import annotations

import time
import types
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, Self, TypeVar

import attrs
import outcome
import trio

from triollama._config import EngineConfig, Pricing
from triollama._errors import (
    AnswerTooLargeError,
    ProtocolError,
    ServerFailedError,
    StreamRestartedError,
    TriollamaError,
    TruncatedError,
)
from triollama.actors.streams.messages import Timing
from triollama.actors.streams.renewal import Folds, Renewal, says_something
from triollama.actors.streams.resume import Delivered, Way
from triollama.api import ChatChunk, GenerateChunk, Usage
from triollama.wire.flow import FlowControl
from triollama.wire.ndjson import LineSplitter
from triollama.wire.parking import CANCELLED, check_cancelled, make_trap, sleep_on, wake

C = TypeVar("C", bound=ChatChunk | GenerateChunk)

UNCHECKED_MAX = 32
"""Chunks at hand, in a row, for one look whether the reader was cancelled."""

_NOTHING: Final[deque[Any]] = deque()
"""The queue of a stream whose reader has always waited: shared, and never added to. An own one is
made when it is needed, for even empty it is as large as half of an inflow."""

_current_task = trio.lowlevel.current_task


class ChunkInflow(Generic[C]):
    """A streamed answer on its way to its reader.

    Args:
        decode: reads one line.
        fold: collects the answer.
        config: the limits.

    Attributes:
        is_closed: whether nothing more will come.
        is_paused: whether its socket is not read.
    """

    __slots__ = (
        "_add",
        "_answer_bytes_max",
        "_buffer_bytes_high",
        "_decode",
        "_done_ns",
        "_first_ns",
        "_flow",
        "_is_collecting",
        "_is_held",
        "_is_special",
        "_last_ns",
        "_renewal",
        "_scheduled_ns",
        "_splitter",
        "_task",
        "_trap",
        "_unchecked",
        "_usage",
        "_was_seen",
        "chunks",
        "error",
        "is_closed",
        "is_paused",
        "is_whole",
        "last",
        "on_first",
        "on_whole",
        "queue",
        "queued_bytes",
        "received_bytes",
        "sent_ns",
    )

    def __init__(
        self, decode: Callable[[bytes, int], C], fold: Folds[C], config: EngineConfig
    ) -> None:
        self.sent_ns = 0
        self._scheduled_ns = time.perf_counter_ns()
        self._first_ns = 0
        self._last_ns = 0
        self._done_ns = 0
        self.queue = _NOTHING  # chunks, and what `_forget` puts among them
        self.chunks = 0
        self.received_bytes = 0
        self.is_whole = False
        self.last: C | None = None
        self._usage: Usage | None = None
        self.on_whole: Callable[[], None] | None = None
        self.on_first: Callable[[], None] | None = None
        self.error: TriollamaError | None = None
        self._decode = decode
        self._renewal: Renewal[C] = Renewal(fold)
        self._add = fold.add
        self._was_seen: bool | None = None
        self._answer_bytes_max = config.answer_bytes_max
        self._buffer_bytes_high = config.buffer_bytes_high
        self._splitter = LineSplitter(config.line_bytes_max)
        self.queued_bytes = 0
        self._unchecked = 0
        self._flow: FlowControl | None = None
        self._task: trio.lowlevel.Task | None = None
        self._trap: object | None = None
        self.is_closed = False
        self._is_collecting = False
        self._is_held = False
        self.is_paused = False
        self._is_special = True

    # ---- fed by the connection

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        self._flow = flow
        self.sent_ns = flow.sent_ns or self.sent_ns  # it was made, now it has been sent
        self._splitter.finish()  # what an earlier attempt left of a line
        if self.is_paused:
            flow.pause()

    def feed(self, data: bytes) -> None:
        """See `ByteSink`. Runs once per piece of every stream, so it is kept flat."""
        flow = self._flow
        if flow is None:
            if data.strip():
                raise ProtocolError("the server sent more after the terminal line")
            return
        self.received_bytes += len(data)
        if self.received_bytes > self._answer_bytes_max:
            raise AnswerTooLargeError(f"the answer is over {self._answer_bytes_max} bytes")
        now_ns = flow.received_ns
        if self._splitter.is_line(data):
            self._take(data, now_ns)
        else:
            for line in self._splitter.feed(data):
                self._take(line, now_ns)

    def _take(self, line: bytes, now_ns: int) -> None:
        chunk = self._decode(line, now_ns)
        is_special = self._is_special or chunk.done or chunk.error is not None
        if is_special:
            admitted = self._admit(chunk)
            if admitted is None:
                return
            chunk = admitted
        else:
            self._last_ns = now_ns
        self.chunks += 1
        self._add(chunk)
        if not self._is_collecting:  # else nobody wants it but as a part of the whole
            task = self._task
            if task is not None:
                self._task = None
                wake(task, chunk)
            else:
                if self.queue is _NOTHING:
                    self.queue = deque()
                self.queue.append(chunk)
                self.queued_bytes += len(chunk.line)
                if self.queued_bytes > self._buffer_bytes_high:
                    self._hold_back()
        if is_special:
            self._note(chunk, now_ns)

    def _admit(self, chunk: C) -> C | None:
        """What is new of one of the first chunks, until one says something, or of the last."""
        if chunk.error is not None:
            raise ServerFailedError(chunk.error[:1000], status=200)
        if self.is_whole:
            raise ProtocolError("the server sent more after the terminal line")
        admitted = self._renewal.admit(chunk)
        # Of an answer in one piece the first token is the whole, which is told in a moment.
        if self.on_first is not None and not chunk.done and says_something(chunk):
            on_first, self.on_first = self.on_first, None
            on_first()
        return admitted

    def _note(self, chunk: C, now_ns: int) -> None:
        """One of those was given to the reader."""
        if says_something(chunk):
            self._last_ns = now_ns
            self._first_ns = self._first_ns or now_ns
            self._is_special = False
        if chunk.done:
            self._is_special = True
            self.is_whole = True
            self.last = chunk
            self._done_ns = now_ns
            if self.on_whole is not None:
                self.on_whole()

    # ---- called by the worker

    def begin(self, way: Way, model: str) -> None:
        """See `Inflow`."""
        self._is_special = True
        seen = self._is_seen and not self._renewal.is_empty
        self._renewal.begin(way, model, self.chunks)
        if way is Way.RESTART:
            self._forget(is_told=seen and not self._is_collecting)

    def delivered(self) -> Delivered:
        """See `Inflow`."""
        return self._renewal.delivered(self.chunks, seen=self._is_seen)

    def conclude(self, reason: str) -> None:
        """See `Inflow`."""
        self._take(self._renewal.last_line(self.chunks, reason), time.perf_counter_ns())

    @property
    def usage(self) -> Usage | None:
        """See `Inflow`."""
        if self._usage is None and self.last is not None:
            self._usage = self.last.usage
        return self._usage

    def charge(self, prices: Pricing, model: str, endpoint: str) -> None:
        """See `Inflow`."""
        if (usage := self.usage) is not None:
            self._usage = attrs.evolve(usage, cost=prices.cost(usage, model, endpoint))

    @property
    def characters(self) -> int:
        """See `Inflow`."""
        return self._renewal.characters

    @property
    def _is_seen(self) -> bool:
        """Whether the reader has been given any chunk."""
        return self.chunks > len(self.queue) if self._was_seen is None else self._was_seen

    def _forget(self, *, is_told: bool) -> None:
        """Begin anew; a reader who has read a part is told."""
        self.queue = _NOTHING
        self.queued_bytes = 0
        self._first_ns = self._last_ns = 0
        if self.is_paused and not self._is_held:
            self.resume()  # the queue that it was paused for is gone
        if is_told:
            told = outcome.Error(StreamRestartedError("the answer broke, and begins anew"))
            task, self._task = self._task, None
            if task is not None:
                wake(task, told)
            else:
                self.queue = deque([told])

    def finish(self) -> None:
        """See `Inflow`: a last line needs no line break, but an answer needs its ``done``."""
        rest = self._splitter.finish()
        if rest.strip() and not self.is_whole:
            now_ns = self._flow.received_ns if self._flow is not None else time.perf_counter_ns()
            self._take(rest, now_ns)
        if not self.is_whole:
            raise TruncatedError("the answer ended without its terminal line")

    def close(self, error: TriollamaError | None) -> None:
        """See `Inflow`; wakes the reader."""
        if self.is_closed:
            return
        self.resume()  # the end of the body may still be on its way, and nobody need be spared it
        self.is_closed = True
        self.error = error
        self._flow = None
        self._wake()
        # All hold this object: without them it is freed at once, not by the garbage collector.
        self._trap = None
        self.on_whole = self.on_first = None

    # ---- called by the reader

    @property
    def timing(self) -> Timing:
        """When things happened, so far."""
        return Timing(
            self._scheduled_ns, self.sent_ns, self._first_ns, self._last_ns, self._done_ns
        )

    def __aiter__(self) -> Self:
        return self

    @types.coroutine
    def __anext__(self) -> Generator[object, Any, C]:
        """The next chunk. If cancelled, none was taken.

        A plain generator, one deep: each coroutine more would cost its part at each waking.

        Raises:
            TriollamaError: what ended the answer, after the chunks before it.
            trio.BusyResourceError: another task reads this stream.
        """
        if self.queue:
            if not self._unchecked:
                self._unchecked = UNCHECKED_MAX
                yield from check_cancelled()
            self._unchecked -= 1
        while not (queue := self.queue):
            if self.is_closed:
                self._raise_error()
                raise StopAsyncIteration
            if self._task is not None:
                self._only_reader()
            self._task = _current_task()
            given = yield self._trap or self._make_trap()
            if given is not None:
                if type(given) is CANCELLED:
                    given.unwrap()
                chunk: C = given
                return chunk
        taken = queue.popleft()
        if not queue:
            self.queued_bytes = self._unchecked = 0
            if self.is_paused and not self._is_held:
                self.resume()
        if type(taken) is CANCELLED:
            taken.unwrap()
        next_chunk: C = taken
        return next_chunk

    async def wait_whole(self) -> None:
        """Wait for the last chunk; from now on chunks are folded only, not queued.

        Raises:
            TriollamaError: what ended the answer.
            trio.BusyResourceError: another task reads this stream.
        """
        self._only_reader()
        self._was_seen = self._is_seen
        self._is_collecting = True
        self.queue = _NOTHING
        self.queued_bytes = 0
        self.resume()
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self.is_closed:
            self._task = self._only_reader()
            await sleep_on(self._trap or self._make_trap())
        self._raise_error()

    def collect_only(self) -> None:
        """Nobody will iterate: chunks are folded only, not queued."""
        self._is_collecting = True
        self._was_seen = False

    def pause(self) -> None:
        """Stop the reading of the socket, and keep it so until `resume`."""
        self._is_held = True
        self._hold_back()

    def _hold_back(self) -> None:
        if not (self.is_paused or self.is_closed):
            self.is_paused = True
            if self._flow is not None:
                self._flow.pause()

    def resume(self) -> None:
        """Let the socket be read again."""
        self._is_held = False
        if self.is_paused:
            self.is_paused = False
            if self._flow is not None:
                self._flow.resume()

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error

    def _make_trap(self) -> object:
        self._trap = make_trap(self._abort)
        return self._trap

    def _only_reader(self) -> trio.lowlevel.Task:
        if self._task is not None:
            raise trio.BusyResourceError("another task reads this stream")
        return trio.lowlevel.current_task()

    def _abort(self, _: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake(self) -> None:
        if self._task is not None:
            wake(self._task, None)
            self._task = None
