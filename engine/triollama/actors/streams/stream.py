"""The stream, as its reader sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Generic, Protocol, TypeVar

import attrs

from triollama._errors import StreamCancelledError
from triollama.actors.streams.inflow import ChunkInflow
from triollama.actors.streams.messages import Attempt, Timing
from triollama.actors.streams.worker import Worker
from triollama.api import ChatChunk, GenerateChunk, Usage

C = TypeVar("C", bound=ChatChunk | GenerateChunk)
R_co = TypeVar("R_co", covariant=True)


@attrs.frozen
class StreamStatistics:
    """One stream at one moment.

    Attributes:
        model: the model's name as the caller wrote it.
        endpoint: the endpoint that answers, or was tried last; empty while in line.
        outcome: ``done``, ``failed`` or ``cancelled``; empty while it goes on.
        is_running: whether its request is at an endpoint now.
        is_paused: whether its socket is not read, for the reader's sake.
        attempts: attempts that have ended.
        chunks: chunks that have arrived.
        received_bytes: bytes of all answers to it.
        unread_chunks: chunks that wait for the reader.
        unread_bytes: their lines together.
        place: see `Stream.place`.
        predicted_wait_s: see `Stream.predicted_wait_s`.
    """

    model: str
    endpoint: str
    outcome: str
    is_running: bool
    is_paused: bool
    attempts: int
    chunks: int
    received_bytes: int
    unread_chunks: int
    unread_bytes: int
    place: int | None
    predicted_wait_s: float | None


class Result(Protocol[R_co]):
    """Gives the whole answer: the ``result`` of a fold."""

    def __call__(self) -> R_co:
        """The answer so far."""


class Stream(Generic[C, R_co]):
    """One answer as it comes.

    Made by `Engine.stream_chat` and `Engine.stream_generate` in ``async with``. Leaving that block
    stops the
    work: the connection is closed and the server stops generating, unless the answer is whole.

    Iterating gives chunks. If the iteration is cancelled, no chunk is lost: iterate on. An error
    that ended the stream is raised after the chunks that came before it. One task may read at a
    time.
    """

    def __init__(self, worker: Worker, inflow: ChunkInflow[C], result: Result[R_co]) -> None:
        self._worker = worker
        self._inflow = inflow
        self._result = result

    def __repr__(self) -> str:
        ended = self._worker.ended
        state = ended.value if ended is not None else "running"
        return f"<Stream {self._worker.call.model!r} on {self.endpoint or '?'}: {state}>"

    def __aiter__(self) -> AsyncIterator[C]:
        return self._inflow

    def __anext__(self) -> Awaitable[C]:
        """The next chunk.

        Raises:
            TriollamaError: what ended the stream.
            trio.BusyResourceError: another task is reading.
        """
        return self._inflow.__anext__()

    async def collect(self) -> R_co:
        """Wait for the whole answer, with what was iterated before; wakes this task once.

        Chunks that are still unread are not iterated any more. If cancelled, call it again.

        Raises:
            TriollamaError: what ended the stream.
        """
        await self._inflow.wait_whole()
        return self._result()

    def pause(self) -> None:
        """Stop reading from the server until `resume`; what has arrived can still be iterated."""
        self._inflow.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._inflow.resume()

    def cancel(self) -> None:
        """Give the answer up: its reader gets `StreamCancelledError`, unless it is whole."""
        self._worker.stop(StreamCancelledError("the stream was cancelled"))

    async def leave(self) -> None:
        """What the end of the block does: unless the answer is whole, give it up.

        Waits until socket and lease are back, two turns of the loop.
        """
        if self._inflow.is_whole or self._worker.ended is not None:
            return
        self.cancel()
        await self._worker.wait_ended()

    @property
    def partial(self) -> R_co:
        """The answer as far as it has arrived, with ``done`` false until it is whole."""
        return self._result()

    @property
    def timing(self) -> Timing:
        """When things happened, so far."""
        return self._inflow.timing

    @property
    def chunks(self) -> int:
        """Chunks that have arrived."""
        return self._inflow.chunks

    @property
    def usage(self) -> Usage | None:
        """Tokens and durations, once the answer is whole.

        Of an answer that broke and went on: its prompt once, all its tokens, and the durations of
        the last server; what the others had counted was lost with them.
        """
        return self._inflow.usage

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that have ended, the successful one included."""
        return tuple(self._worker.history.attempts())

    @property
    def endpoint(self) -> str:
        """The name of the endpoint that answers, or that was tried last; empty while in line."""
        return self._worker.endpoint

    @property
    def place(self) -> int | None:
        """How many requests are in line before this one; None when it does not wait in line."""
        place = self._worker.place
        return None if place is None else place.ahead

    @property
    def predicted_wait_s(self) -> float | None:
        """How long it will still wait in line, in seconds; None when it does not.

        By Little's law from the length of past requests; 0 as long as there were too few. Requests
        that go before it later (by priority, or of another caller) are not in it.
        """
        place = self._worker.place
        return None if place is None else place.wait_s

    def statistics(self) -> StreamStatistics:
        """A snapshot."""
        worker, inflow, place = self._worker, self._inflow, self._worker.place
        return StreamStatistics(
            model=worker.call.model,
            endpoint=worker.endpoint,
            outcome=worker.ended.value if worker.ended is not None else "",
            is_running=worker.is_attempting,
            is_paused=inflow.is_paused,
            attempts=len(worker.history),
            chunks=inflow.chunks,
            received_bytes=inflow.received_bytes,
            unread_chunks=len(inflow.queue),
            unread_bytes=inflow.queued_bytes,
            place=None if place is None else place.ahead,
            predicted_wait_s=None if place is None else place.wait_s,
        )
