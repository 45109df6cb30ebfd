"""A worker: one request, from admission to its one outcome.

Owns: the attempts of its request and the lease that is held at the moment. What becomes of the
request when an attempt fails is decided by its `Recovery`; how the rest of a broken answer is asked
for, by its `Splicer`.

Whoever runs it may be cancelled at any await: the connection is closed, the lease released, the
outcome counted. From outside it is ended with `stop`, which says why. It never raises but for
cancellation: the outcome is told to the inflow, where the reader finds it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from triollama._errors import (
    EngineClosedError,
    EngineFaultError,
    FleetUnavailableError,
    ModelNotFoundError,
    ServerBusyError,
    StallError,
    StreamCancelledError,
    TriollamaError,
)
from triollama.actors.limits import Reservation
from triollama.actors.pool import Lease, Outcome, Place
from triollama.actors.streams.core import Waited, waited_for_slot
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.messages import Attempt, Call, Ended, Quiet, Terms
from triollama.actors.streams.quota import begin_quota, settle_quota, take_endpoint_quota
from triollama.actors.streams.recovery import NOBODY, Again, Concluded, Recovery
from triollama.actors.streams.resume import Way
from triollama.actors.streams.services import Services
from triollama.actors.streams.splice import Splicer
from triollama.actors.streams.telling import Telling

_log = logging.getLogger("triollama")


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
        "_characters",
        "_failures",
        "_first_token_s",
        "_has_ended",
        "_lease",
        "_reservation",
        "_scope",
        "_sent_s",
        "_services",
        "_splicer",
        "_started_ns",
        "_stopped",
        "_telling",
        "_ticket",
        "_way",
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
        self.quiet = Quiet()
        self._services = services
        self._failures: Recovery | None = None
        self._splicer: Splicer | None = None
        self._telling = Telling(
            services.facts, next(services.numbers), call.model, trio.current_time()
        )
        self._reservation: Reservation | None = None
        self._has_ended: trio.Event | None = None
        self._lease: Lease | None = None
        self._started_ns = 0
        self._sent_s = 0.0
        self._first_token_s = 0.0
        self._scope: trio.CancelScope | None = None
        self._stopped: TriollamaError | None = None
        self._way = Way.RESEND
        self._characters = 0
        self._ticket = 0

    @property
    def is_attempting(self) -> bool:
        """Whether it holds a lease: its request is out, or about to be."""
        return self._lease is not None

    @property
    def place(self) -> Place | None:
        """Where in line it is; None if it does not wait for an endpoint."""
        return self._services.pool.place_of(self._ticket)

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

    @property
    def _recovery(self) -> Recovery:
        """Made at the first failure: most requests have none."""
        if self._failures is None:
            attempts_max = self._services.config.attempts_max
            self._failures = Recovery(self.call, self.terms.on_break, attempts_max)
        return self._failures

    # ---- from attempt to attempt

    async def _work(self) -> TriollamaError | None:
        self._services.retries.count_request(self._telling.began_s)
        if not self._services.limiter.is_idle:
            failure = await self._until_stopped(self._wait_for_quota)
            if failure is not None:
                return failure
        while True:
            failure = await self._until_stopped(self._try_once)
            if failure is None or self.inflow.is_whole:
                return None
            step = self._recovery.after(failure, self.endpoint, self.inflow.delivered())
            if isinstance(step, Again):
                failure = await self._until_stopped(partial(self._get_ready, step))
            elif isinstance(step, Concluded):
                self.inflow.conclude("length")
            else:
                failure = await self._until_stopped(partial(self._explain, step))
            if failure is not None or self.ended is not None:
                return failure

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

    async def _wait_for_quota(self) -> TriollamaError | None:
        try:
            self._reservation = await begin_quota(self._services.limiter, self.call, self.terms)
        except TriollamaError as error:
            return error
        return None

    async def _get_ready(self, step: Again) -> TriollamaError | None:
        """Wait until the next attempt may be made; returns an error if it may not."""
        recovery = self._recovery
        if not step.is_stale and not await self._services.retries.wait(
            self.call,
            self.terms,
            recovery.lacking,
            self.endpoint,
            recovery.barren,
            has_begun=step.has_begun,
        ):
            error = FleetUnavailableError(recovery.causes)
            return recovery.give_up(error, self.inflow.delivered())
        self._way = step.way
        return None

    async def _explain(self, error: TriollamaError) -> TriollamaError:
        """The last word; names the models that exist if nobody has the one that was asked for."""
        if isinstance(error, FleetUnavailableError) and self._recovery.is_lacking_everywhere:
            return ModelNotFoundError(self.call.model, available=await self._services.list_models())
        return error

    # ---- one attempt

    async def _try_once(self) -> TriollamaError | None:
        """One lease and one attempt; returns why it failed."""
        try:
            await self._use(await self._acquire())
        except TriollamaError as error:
            return error
        return None

    async def _acquire(self) -> Lease:
        terms, told = self.terms, self._telling
        self._ticket = self._services.pool.new_ticket()
        line_s = max(told.began_s, told.broke_s) + self._services.config.line_s
        return await self._services.pool.acquire(
            self.call.model_key,
            deadline_s=min(terms.deadline_s, line_s),
            excluded=self._failures.lacking if self._failures is not None else NOBODY,
            tried=self._failures.tried if self._failures is not None else NOBODY,
            only=terms.endpoint,
            priority=terms.priority,
            runner=self.call.runner,
            caller=terms.caller,
            tags=terms.tags,
            body_bytes=len(self.call.body),
            has_begun=bool(self.attempts),
            answer_by_s=terms.deadline_s,
            ticket=self._ticket,
        )

    async def _use(self, lease: Lease) -> None:
        self._lease = lease
        self._sent_s = trio.current_time()
        self.quiet = Quiet(self._sent_s, self.inflow.received_bytes)
        self._started_ns = time.perf_counter_ns()
        self.endpoint = lease.endpoint
        self._telling.started(lease.endpoint)
        failure: TriollamaError | None = None
        try:
            await self._attempt(lease.endpoint)
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

    async def _attempt(self, endpoint: str) -> None:
        inflow, access = self.inflow, self._services.access[endpoint]
        if not self._services.limiter.is_idle:
            limiter, pool = self._services.limiter, self._services.pool
            await take_endpoint_quota(limiter, pool, endpoint, self.call, self._reservation)
            self._sent_s = trio.current_time()
        call = self.call
        if self._way.is_splice:
            self._splicer = self._splicer or Splicer(call, self._services.config)
            call = await self._splicer.call_for(self._way, access, inflow.delivered)
            self._sent_s = trio.current_time()
        inflow.begin(self._way, call.model)
        inflow.on_whole = self._on_whole
        inflow.on_first = self._on_first
        await access.attempt(call, inflow)

    def _on_first(self) -> None:
        """The first token of an attempt came: the request is past the server's own line."""
        self._first_token_s = trio.current_time() - self._sent_s
        if self._lease is not None:
            self._services.pool.first_token(self._lease, self._first_token_s)
        if self.attempts:
            self._telling.went_on(self._way, self.endpoint, self._characters)

    def _on_whole(self) -> None:
        """The terminal line came: the server's slot is free, whatever still follows on the wire."""
        if self.attempts and self.inflow.on_first is not None:  # nothing was left to come
            self._telling.went_on(self._way, self.endpoint, self._characters)
        self._give_back(None)
        self._end(None)

    def _give_back(self, failure: TriollamaError | None) -> None:
        lease, self._lease = self._lease, None
        if lease is None:
            return
        if self.inflow.is_whole:
            failure = None
        outcome = Outcome.DONE if failure is None else self._recovery.judge(failure).outcome
        took_s = trio.current_time() - self._sent_s
        waited = self._measure(took_s) if failure is None else None
        self._services.pool.release(
            lease,
            outcome,
            slot_wait_s=waited.slot_wait_s if waited is not None else None,
            service_s=waited.service_s if waited is not None else None,
            retry_after_s=failure.retry_after_s if isinstance(failure, ServerBusyError) else None,
            took_s=took_s,
        )
        if outcome is Outcome.MODEL_MISSING:
            self._services.ask_soon(lease.endpoint)
        self._note_attempt(lease, outcome, failure)

    def _measure(self, took_s: float) -> Waited | None:
        """How long the server let the request wait for a slot, if it tells."""
        usage = self.inflow.usage
        if usage is None or not usage.total_ns:
            return None
        # Of an answer that came in one piece there is no other time than that of all of it.
        return waited_for_slot(usage, first_token_s=self._first_token_s or took_s, took_s=took_s)

    def _note_attempt(self, lease: Lease, outcome: Outcome, failure: TriollamaError | None) -> None:
        characters = self.inflow.characters
        attempt = Attempt(
            lease.endpoint,
            self._started_ns,
            time.perf_counter_ns(),
            outcome,
            str(failure) if failure is not None else "",
            self._way.value,
            characters - self._characters,
        )
        self.attempts.append(attempt)
        self._characters = characters
        if failure is not None:
            self._telling.failed(lease.endpoint, failure, characters)

    @property
    def _is_accounted(self) -> bool:
        """Whether anybody wants to know what the request cost."""
        return self._reservation is not None or self._services.facts.is_heard

    def _end(self, error: TriollamaError | None) -> None:
        if self.ended is not None:
            return
        if error is None:
            self.ended = Ended.DONE
        elif isinstance(error, StreamCancelledError | EngineClosedError):
            self.ended = Ended.CANCELLED
        else:
            self.ended = Ended.FAILED
        usage = self.inflow.usage if self._is_accounted else None
        if self._reservation is not None:
            was_sent = bool(self.attempts)
            settle_quota(self._services.limiter, self._reservation, usage, was_sent=was_sent)
        self.inflow.close(error)
        self._services.on_ended(self.ended)
        tokens = usage.output_tokens if usage is not None else 0
        self._telling.ended(self.ended, self.endpoint, error, len(self.attempts), tokens)
        if self._has_ended is not None:
            self._has_ended.set()
