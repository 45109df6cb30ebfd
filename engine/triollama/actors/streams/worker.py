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
from collections.abc import Callable
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
from triollama.actors.pool import Acquire, Lease, Outcome, Place
from triollama.actors.streams.core import ended_by, measure
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.halt import Halt
from triollama.actors.streams.history import History
from triollama.actors.streams.messages import Call, Ended, Quiet, Terms
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
        history: the attempts that have ended.
        endpoint: the name of the endpoint in use, or last used.
        quiet: the watchdog's notes on the present attempt.
        ended: the outcome, or None while it goes on.
        on_left: called when it has nothing left to do, which may be a little after it has ended.
    """

    __slots__ = (
        "_failures",
        "_first_token_s",
        "_halt",
        "_has_ended",
        "_lease",
        "_reservation",
        "_sent_s",
        "_services",
        "_splicer",
        "_started_ns",
        "_telling",
        "_ticket",
        "_way",
        "call",
        "ended",
        "endpoint",
        "history",
        "inflow",
        "on_left",
        "quiet",
        "terms",
    )

    def __init__(self, call: Call, terms: Terms, inflow: Inflow, services: Services) -> None:
        self.call = call
        self.terms = terms
        self.inflow = inflow
        self.history = History()
        self.endpoint = ""
        self.ended: Ended | None = None
        self.quiet = Quiet()
        self.on_left: Callable[[Worker], None] | None = None
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
        self._halt = Halt()
        self._way = Way.RESEND
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
        """End the present attempt, or whatever is waited for, for `reason`. See `Halt.stop`."""
        self._halt.stop(reason)

    async def run(self) -> None:
        """Do the work. The outcome is in `ended`, the error if any in the inflow."""
        error: TriollamaError | None = None
        try:
            await self._work()
        except TriollamaError as failure:
            error = failure
        except Exception as unexpected:  # noqa: BLE001 - told to the reader, and logged
            _log.exception("a worker failed unexpectedly")
            error = EngineFaultError(f"a worker failed: {type(unexpected).__name__}")
            error.__cause__ = unexpected
        except BaseException:
            error = EngineClosedError("the engine stopped this request")
            raise
        finally:
            self._end(error)
            if self.on_left is not None:
                self.on_left(self)

    @property
    def _recovery(self) -> Recovery:
        """Made at the first failure: most requests have none."""
        if self._failures is None:
            attempts_max = self._services.config.attempts_max
            self._failures = Recovery(self.call, self.terms.on_break, attempts_max)
        return self._failures

    # ---- from attempt to attempt

    async def _work(self) -> None:
        """Try until the answer is whole, or nothing is left to try.

        Raises:
            TriollamaError: why it is not whole.
        """
        self._services.retries.count_request(self._telling.began_s)
        if not self._services.limiter.is_idle:
            await self._wait_for_quota()
        while True:
            try:
                lease = await self._get_lease()
                return await self._use(lease)
            except TriollamaError as failure:
                if self.inflow.is_whole:
                    return None
                step = self._recovery.after(failure, self.endpoint, self.inflow.delivered())
            if isinstance(step, Again):
                await self._get_ready(step)
            elif isinstance(step, Concluded):
                return self.inflow.conclude("length")
            else:
                raise await self._last_word(step)

    async def _wait_for_quota(self) -> None:
        limiter, deadline_s = self._services.limiter, self.terms.deadline_s
        self._halt.check()  # before, not after: what was asked for must be waited for, or given up
        reservation = begin_quota(limiter, self.call, self.terms)
        if reservation.granted_s is None:
            await self._halt.guarded(partial(limiter.wait, reservation, deadline_s))
        self._reservation = reservation

    async def _get_ready(self, step: Again) -> None:
        """Wait until the next attempt may be made.

        Raises:
            TriollamaError: it may not.
        """
        recovery = self._recovery
        wait = partial(
            self._services.retries.wait,
            self.call,
            self.terms,
            recovery.lacking,
            self.endpoint,
            recovery.barren,
            has_begun=step.has_begun,
        )
        if not step.is_stale and not await self._halt.guarded(wait):
            error = FleetUnavailableError(recovery.causes)
            raise recovery.give_up(error, self.inflow.delivered())
        self._way = step.way

    async def _last_word(self, error: TriollamaError) -> TriollamaError:
        """It names the models that exist, if nobody has the one asked for."""
        if isinstance(error, FleetUnavailableError) and self._recovery.is_lacking_everywhere:
            available = await self._halt.guarded(self._services.list_models)
            return ModelNotFoundError(self.call.model, available=available)
        return error

    # ---- one attempt

    async def _get_lease(self) -> Lease:
        """Wait for an endpoint."""
        # Before, not after: a lease that was granted must not be lost to a cancellation here.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._halt.check()
        lease = self._ask()
        if lease is None:
            lease = await self._halt.guarded(partial(self._services.pool.wait, self._ticket))
        return lease

    def _ask(self) -> Lease | None:
        """Ask for a lease; None if it has to be waited for."""
        pool, call, terms, told = self._services.pool, self.call, self.terms, self._telling
        self._ticket = pool.new_ticket()
        line_s = max(told.began_s, told.broke_s) + self._services.config.line_s
        recovery = self._failures
        return pool.ask(
            Acquire(
                self._ticket,
                call.model_key,
                min(terms.deadline_s, line_s),
                trio.current_time(),
                pool.draw(),
                excluded=recovery.lacking if recovery is not None else NOBODY,
                tried=recovery.tried if recovery is not None else NOBODY,
                only=terms.endpoint,
                priority=terms.priority,
                runner=call.runner,
                caller=terms.caller,
                tags=terms.tags,
                body_bytes=len(call.body),
                has_begun=bool(self.history),
                answer_by_s=terms.deadline_s,
            )
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
            call = await self._get_call(lease.endpoint)
            access = self._services.access[lease.endpoint]
            await access.attempt(call, self.inflow, self._halt)
        except TriollamaError as error:
            failure = error
            if isinstance(failure, StallError):
                failure.endpoint = lease.endpoint
            raise
        except BaseException:
            failure = StreamCancelledError("the stream was cancelled")
            raise
        finally:
            self._give_back(failure)

    async def _get_call(self, endpoint: str) -> Call:
        """What is to be sent there, when it may be; the inflow is ready for the answer."""
        inflow, access, call = self.inflow, self._services.access[endpoint], self.call
        if not self._services.limiter.is_idle:
            await self._take_endpoint_quota(endpoint)
        if self._way.is_splice:
            self._splicer = self._splicer or Splicer(call, self._services.config)
            splice = partial(self._splicer.call_for, self._way, access, inflow.delivered)
            call = await self._halt.guarded(splice)
            self._sent_s = trio.current_time()
        inflow.begin(self._way, call.model)
        inflow.on_whole = self._on_whole
        inflow.on_first = self._on_first
        return call

    async def _take_endpoint_quota(self, endpoint: str) -> None:
        limiter, pool = self._services.limiter, self._services.pool
        wait_s = take_endpoint_quota(limiter, pool, endpoint, self.call, self._reservation)
        if wait_s > 0:
            await self._halt.guarded(partial(trio.sleep, wait_s))
            self._sent_s = trio.current_time()

    def _on_first(self) -> None:
        """The first token of an attempt came: the request is past the server's own line."""
        self._first_token_s = trio.current_time() - self._sent_s
        if self._lease is not None:
            self._services.pool.first_token(self._lease, self._first_token_s)
        if self.history:
            self._telling.went_on(self._way, self.endpoint, self.history.characters)

    def _on_whole(self) -> None:
        """The terminal line came: the server's slot is free, whatever still follows on the wire."""
        if self.history and self.inflow.on_first is not None:  # nothing was left to come
            self._telling.went_on(self._way, self.endpoint, self.history.characters)
        self._give_back(None)
        self._end(None)

    def _give_back(self, failure: TriollamaError | None) -> None:
        lease, self._lease = self._lease, None
        if lease is None:
            return
        if self.inflow.is_whole:
            failure = None
        outcome, waited = Outcome.DONE, None
        took_s = trio.current_time() - self._sent_s
        if failure is None:
            if lease.is_learning:
                waited = measure(self.inflow.usage, self._first_token_s, took_s)
        else:
            outcome = self._recovery.judge(failure).outcome
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
        characters = self.inflow.characters
        self.history.add(
            lease.endpoint,
            self._started_ns,
            outcome,
            failure,
            way=self._way,
            characters=characters,
        )
        if failure is not None:
            self._telling.failed(lease.endpoint, failure, characters)

    @property
    def _is_accounted(self) -> bool:
        """Whether anybody wants to know what the request cost."""
        return self._reservation is not None or self._services.facts.is_heard

    def _end(self, error: TriollamaError | None) -> None:
        if self.ended is not None:
            return
        self.ended = ended_by(error)
        prices = self._services.config.prices
        if prices is not None and error is None:
            self.inflow.charge(prices, self.call.model, self.endpoint)
        usage = self.inflow.usage if self._is_accounted else None
        if self._reservation is not None:
            was_sent = bool(self.history)
            settle_quota(self._services.limiter, self._reservation, usage, was_sent=was_sent)
        self.inflow.close(error)
        self._services.on_ended(self.ended)
        tokens = usage.output_tokens if usage is not None else 0
        self._telling.ended(self.ended, self.endpoint, error, len(self.history), tokens)
        if self._has_ended is not None:
            self._has_ended.set()
