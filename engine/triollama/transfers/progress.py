"""What a caller holds of a transfer: its events in ``async with``, or its result by ``await``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import attrs
import trio

from triollama._errors import TriollamaError
from triollama.actors.errands import Errand, Errands
from triollama.transfers.errors import PartialFailureError
from triollama.transfers.events import EndpointTransfer, TransferEvent, TransferKind, TransferResult

__all__ = ["Part", "Progress", "Transfer"]

STOP_S = 5.0
"""For a transfer that nobody wants any more to have closed its connection; it needs two turns."""

UNREAD_MAX = 1_000
"""Events that may wait to be read. Of those about the same layer only the latest waits, so a reader
who does not read misses what is past, and nothing else."""


@attrs.frozen
class Part:
    """What is to be done on one endpoint.

    Attributes:
        endpoint: its name.
        key: what makes it the same as another caller's.
        work: does it, and returns how it went.
    """

    endpoint: str
    key: Hashable
    work: Callable[[Errand[TransferEvent]], Awaitable[EndpointTransfer]]


class Progress:
    """A transfer under way: ``async for event in progress``, then ``await progress.result()``.

    Iterating ends when the transfer has ended everywhere, and raises what `result` would. Made by
    `Transfer`.
    """

    def __init__(self, kind: TransferKind, model: str, parts: Sequence[Part]) -> None:
        self._kind = kind
        self._model = model
        self._parts = parts
        self._errands: list[Errand[TransferEvent]] = []
        self._unread: dict[tuple[str, str, str], TransferEvent] = {}
        self._news = trio.Event()

    def __repr__(self) -> str:
        ended = sum(errand.ended.is_set() for errand in self._errands)
        return f"<Progress of a {self._kind}: ended on {ended} of {len(self._parts)} endpoints>"

    def __aiter__(self) -> Progress:
        return self

    async def __anext__(self) -> TransferEvent:
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._unread:
            if self._has_ended:
                self._check()
                raise StopAsyncIteration
            await self._wait()
        # Taken before anything else can run: another task may iterate, too.
        event = self._unread.pop(next(iter(self._unread)))
        await trio.lowlevel.cancel_shielded_checkpoint()
        return event

    async def result(self) -> TransferResult:
        """Wait until it has ended everywhere, whether or not its events are read.

        If cancelled, it goes on until the block is left.

        Raises:
            PartialFailureError: it failed on some of several endpoints, or on all.
            StreamCancelledError: the block was left before the end, and nobody else waited.
            TriollamaError: there is one endpoint, and it failed there.
        """
        for errand in self._errands:
            await errand.ended.wait()
        self._check()
        return TransferResult(kind=self._kind, model=self._model, endpoints=self._results())

    # ---- called by `Transfer`

    def begin(self, errands: Errands) -> None:
        """Begin it, or join those who have.

        Raises:
            EngineClosedError: the engine is closed.
        """
        for part in self._parts:
            errand = errands.join(part.key, self, part.work)
            self._errands.append(errand)
            if errand.latest is not None:
                self.tell(errand.latest)

    def leave(self, errands: Errands) -> list[Errand[TransferEvent]]:
        """Wait no more; gives what nobody else waits for either, which is being stopped."""
        return [errand for errand in self._errands if not errands.leave(errand, self)]

    # ---- called by the errands

    def tell(self, event: TransferEvent) -> None:
        """See `Listener`."""
        key = (event.endpoint, event.phase, event.digest or event.status)
        self._unread.pop(key, None)  # to the end of the line with it
        self._unread[key] = event
        if len(self._unread) > UNREAD_MAX:
            del self._unread[next(iter(self._unread))]
        self._news.set()

    def tell_ended(self) -> None:
        """See `Listener`."""
        self._news.set()

    # ---- inside

    @property
    def _has_ended(self) -> bool:
        return all(errand.ended.is_set() for errand in self._errands)

    async def _wait(self) -> None:
        if self._news.is_set():
            self._news = trio.Event()
        await self._news.wait()

    def _results(self) -> tuple[EndpointTransfer, ...]:
        return tuple(errand.value for errand in self._errands if errand.value is not None)

    def _check(self) -> None:
        pairs = zip(self._parts, self._errands, strict=True)
        failures = {part.endpoint: errand.error for part, errand in pairs if errand.error}
        if not failures:
            return
        if len(self._parts) == 1:
            [error] = failures.values()
            raise error
        results = self._results()
        raise PartialFailureError(
            f"{self._kind} of {self._model!r}",
            done=[each.endpoint for each in results],
            failures=failures,
            results=results,
        )


class Transfer(AbstractAsyncContextManager[Progress]):
    """A pull, push or create that begins when its block is entered, or when it is awaited.

    ``async with engine.pull("m") as progress`` gives its events; leaving the block before the end
    stops it, unless somebody else waits for it, too. ``await engine.pull("m")`` waits for its end;
    if cancelled, it is stopped in the same way. It can be used once.
    """

    def __init__(self, errands: Errands, prepare: Callable[[], Awaitable[Progress]]) -> None:
        self._errands = errands
        self._prepare: Callable[[], Awaitable[Progress]] | None = prepare
        self._progress: Progress | None = None

    async def __aenter__(self) -> Progress:
        prepare, self._prepare = self._prepare, None
        if prepare is None:
            raise RuntimeError("a transfer is begun once: call the engine's method again")
        self._progress = await prepare()
        try:
            self._progress.begin(self._errands)
        except TriollamaError:
            self._progress.leave(self._errands)
            raise
        return self._progress

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._progress is not None
        stopping = self._progress.leave(self._errands)
        with trio.move_on_after(STOP_S, shield=True):
            for errand in stopping:
                await errand.ended.wait()  # then its connection is closed

    def __await__(self) -> Generator[object, object, TransferResult]:
        return self._whole().__await__()

    async def _whole(self) -> TransferResult:
        async with self as progress:
            return await progress.result()
