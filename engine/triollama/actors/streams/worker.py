"""A worker: one request, from admission to its one outcome.

Owns: the attempts of its request and the lease that is held at the moment.

Whoever runs it may be cancelled at any await: the connection is closed, the lease released, the
outcome counted. From outside it is ended with `stop`, which says why. It never raises but for
cancellation: the outcome is told to the inflow, where the reader finds it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import attrs
import trio

from triollama._config import EngineConfig
from triollama._errors import (
    EngineClosedError,
    EngineFaultError,
    FleetUnavailableError,
    ModelNotFoundError,
    StallError,
    StreamCancelledError,
    TriollamaError,
)
from triollama.actors.pool import Lease, Outcome, Pool
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.core import verdict
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.messages import Attempt, Call, Ended, Quiet, Terms

_log = logging.getLogger("triollama")


@attrs.frozen
class Services:
    """What all workers use.

    Attributes:
        pool: gives leases.
        access: by endpoint name.
        config: clocks and limits.
        list_models: the models that exist, for the error that says so.
        on_ended: told each request's outcome, once.
    """

    pool: Pool
    access: Mapping[str, EndpointAccess]
    config: EngineConfig
    list_models: Callable[[], Awaitable[Sequence[str]]]
    on_ended: Callable[[Ended], None]


class Worker:
    """One request.

    Args:
        call: what to send.
        terms: deadline, priority and the like.
        inflow: where the answer goes.
        services: see `Services`.

    Attributes:
        attempts: the attempts that have ended.
        endpoint: the name of the endpoint in use, or last used.
        quiet: the watchdog's notes on the present attempt.
        ended: the outcome, or None while it goes on.
    """

    __slots__ = (
        "_causes",
        "_has_ended",
        "_lease",
        "_scope",
        "_services",
        "_stale",
        "_started_ns",
        "_stopped",
        "_tried",
        "attempts",
        "call",
        "ended",
        "endpoint",
        "inflow",
        "quiet",
        "terms",
    )

    def __init__(self, call: Call, terms: Terms, inflow: Inflow, services: Services) -> None:
        self.call = call
        self.terms = terms
        self.inflow = inflow
        self.attempts: list[Attempt] = []
        self.endpoint = ""
        self.ended: Ended | None = None
        self._services = services
        self.quiet = Quiet()
        self._has_ended: trio.Event | None = None
        self._lease: Lease | None = None
        self._started_ns = 0
        self._scope: trio.CancelScope | None = None
        self._stopped: TriollamaError | None = None
        self._tried: frozenset[str] = frozenset()
        self._causes: list[TriollamaError] = []
        self._stale = 0

    @property
    def is_attempting(self) -> bool:
        """Whether it holds a lease: its request is out, or about to be."""
        return self._lease is not None

    async def wait_ended(self) -> None:
        """Wait until `ended` is set."""
        if self.ended is None:
            self._has_ended = self._has_ended or trio.Event()
            await self._has_ended.wait()

    def stop(self, reason: TriollamaError) -> None:
        """End the present attempt, or whatever is waited for, for `reason`. Never waits.

        The first reason counts, but for a stall: that ends an attempt, the others the request.
        """
        if self._stopped is None or isinstance(self._stopped, StallError):
            self._stopped = reason
            if self._scope is not None:
                self._scope.cancel()

    async def run(self) -> None:
        """Do the work. The outcome is in `ended`, the error if any in the inflow."""
        error: TriollamaError | None = EngineClosedError("the engine stopped this request")
        try:
            error = await self._work()
        except Exception as unexpected:  # noqa: BLE001 - told to the reader, and logged
            _log.exception("a worker failed unexpectedly")
            error = EngineFaultError(f"a worker failed: {type(unexpected).__name__}")
            error.__cause__ = unexpected
        finally:
            self._end(error)

    async def _work(self) -> TriollamaError | None:
        while True:
            failure = await self._until_stopped(self._try_once)
            if failure is None or self.inflow.is_whole:
                return None
            if isinstance(failure, FleetUnavailableError):
                return await self._until_stopped(self._explain)
            decided = verdict(failure, has_output=self.inflow.has_output, stale_before=self._stale)
            if not decided.tries_again:
                return failure
            self._causes.append(failure)
            if decided.excludes:
                self._tried |= {self.endpoint}
            else:
                self._stale += 1
            if self._count_failures() >= self._services.config.attempts_max:
                return FleetUnavailableError(self._causes)

    async def _until_stopped(
        self, step: Callable[[], Awaitable[TriollamaError | None]]
    ) -> TriollamaError | None:
        """Do one step of the work; returns what came of it, or why it was stopped."""
        if isinstance(self._stopped, StallError):
            self._stopped = None  # it came when the attempt that it was meant for had just ended
        with trio.CancelScope() as self._scope:
            if self._stopped is not None:
                self._scope.cancel()
            return await step()
        return self._stopped

    async def _try_once(self) -> TriollamaError | None:
        """One lease and one attempt; returns why it failed."""
        try:
            lease = await self._services.pool.acquire(
                self.call.model_key,
                deadline_s=self._line_deadline_s(),
                excluded=self._tried,
                only=self.terms.endpoint,
                priority=self.terms.priority,
            )
            await self._use(lease)
        except TriollamaError as error:
            return error
        return None

    async def _use(self, lease: Lease) -> None:
        self._lease = lease
        self.quiet = Quiet(trio.current_time(), self.inflow.received_bytes)
        self._started_ns = time.perf_counter_ns()
        self.endpoint = lease.endpoint
        self.inflow.on_whole = self._on_whole
        failure: TriollamaError | None = None
        try:
            await self._services.access[lease.endpoint].attempt(self.call, self.inflow)
        except TriollamaError as error:
            failure = error
            raise
        except BaseException:
            failure = self._stopped or StreamCancelledError("the stream was cancelled")
            if isinstance(failure, StallError):
                failure.endpoint = lease.endpoint
            raise
        finally:
            self._give_back(failure)

    def _on_whole(self) -> None:
        """The terminal line came: the server's slot is free, whatever still follows on the wire."""
        self._give_back(None)
        self._end(None)

    def _give_back(self, failure: TriollamaError | None) -> None:
        lease, self._lease = self._lease, None
        if lease is None:
            return
        outcome = self._judge(failure)
        self._services.pool.release(lease, outcome)
        told = "" if outcome is Outcome.DONE else str(failure)
        ended_ns = time.perf_counter_ns()
        self.attempts.append(Attempt(lease.endpoint, self._started_ns, ended_ns, outcome, told))

    def _judge(self, failure: TriollamaError | None) -> Outcome:
        if failure is None or self.inflow.is_whole:
            return Outcome.DONE
        has_output = self.inflow.has_output
        return verdict(failure, has_output=has_output, stale_before=self._stale).outcome

    def _line_deadline_s(self) -> float:
        return min(self.terms.deadline_s, trio.current_time() + self._services.config.line_s)

    def _count_failures(self) -> int:
        return sum(attempt.why in (Outcome.FAILED, Outcome.BUSY) for attempt in self.attempts)

    async def _explain(self) -> TriollamaError:
        """The last word when no endpoint is left; names what exists if nobody has the model."""
        if self._causes and all(isinstance(each, ModelNotFoundError) for each in self._causes):
            return ModelNotFoundError(self.call.model, available=await self._services.list_models())
        return FleetUnavailableError(self._causes)

    def _end(self, error: TriollamaError | None) -> None:
        if self.ended is not None:
            return
        if error is None:
            self.ended = Ended.DONE
        elif isinstance(error, StreamCancelledError | EngineClosedError):
            self.ended = Ended.CANCELLED
        else:
            self.ended = Ended.FAILED
        self.inflow.close(error)
        self._services.on_ended(self.ended)
        if self._has_ended is not None:
            self._has_ended.set()
