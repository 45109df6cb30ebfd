"""The inside of an engine: its actors, and how requests are put through them.

=============  =================================================  ====================
child          owns                                               uses
=============  =================================================  ====================
reactor        the sockets of plain-HTTP connections              nothing
connections    the transports                                     reactor
pool           endpoints, leases, the line                        nothing
prober         a task per endpoint that asks how it is            pool, transports
streams        workers and the ledger of requests                 pool, transports
watchdog       the clocks of running requests                     streams
errands        work that several callers may wait for             nothing
=============  =================================================  ====================

They are started in this order and stopped in reverse. The rate limiter and the hub of facts have no
task of their own: they are called.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

import httpx
import trio

from triollama._config import EndpointConfig, EngineConfig, TLSConfig
from triollama._errors import (
    InvalidRequestError,
)
from triollama._facts import ActorRestarted
from triollama._opening import C, Opening, R
from triollama._questions import Questions
from triollama._requests import Kind, Urgency, with_others
from triollama.actors.connections import Connections
from triollama.actors.errands import Errands
from triollama.actors.facts import FactHub
from triollama.actors.health import Prober
from triollama.actors.limits import Limiter
from triollama.actors.pool import Pool
from triollama.actors.streams import (
    Call,
    ChunkInflow,
    DocumentInflow,
    EndpointAccess,
    RetryGate,
    Services,
    Stream,
    Streams,
    Terms,
    Worker,
)
from triollama.actors.streams.document import Inflow
from triollama.actors.supervisor import Child, Supervisor
from triollama.wire.connection_set import ConnectionLimits
from triollama.wire.reactor import Reactor
from triollama.wire.tls import open_context
from triollama.wire.transport import WireTransport

CLOUD_URL = "https://ollama.com:"
"""The beginning of the URL of the one server for which the environment may have a key."""

if TYPE_CHECKING:
    from triollama._model_checks import ModelChecks
    from triollama.auth.tokens import TokenKeeper

D = TypeVar("D")

Prepare = Callable[[], Awaitable[Call]]


class Runtime:
    """The actors of one engine.

    Args:
        endpoints: the fleet; names and addresses are unique.
        config: clocks and limits.
        transport: carries all requests, or None for connections of our own.
    """

    def __init__(
        self,
        endpoints: Sequence[EndpointConfig],
        config: EngineConfig,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.config = config
        self.reactor = Reactor() if transport is None and Reactor.is_supported() else None
        self.facts = FactHub()
        self.pool = Pool(
            endpoints,
            line_max=config.line_max,
            line_bytes_max=config.line_bytes_high,
            facts=self.facts,
            draw=_draws(),
        )
        self.limiter = Limiter(config.limits, facts=self.facts)
        self._transport = transport
        self._transports: dict[TLSConfig | None, WireTransport] = {}
        self._access: dict[str, EndpointAccess] = {}
        self.prober = Prober(self._access, self.pool, self.facts, config.probe, _draws())
        self.streams = Streams(config, self.prober.is_down)
        self.errands = Errands()
        self.questions = Questions(self._access, config, self.streams.check_open)
        self._keepers: WeakValueDictionary[int, TokenKeeper] = WeakValueDictionary()
        for each in endpoints:
            self._access[each.name] = self._make_access(each)
            self.prober.add(each.name)
        self._services = Services(
            self.pool,
            self._access,
            config,
            self.facts,
            self.limiter,
            RetryGate(self.pool, config, _draws()),
            self.questions.list_models,
            self.streams.count_ended,
            self.prober.ask_soon,
        )
        self._model_checks: ModelChecks | None = None
        self.supervisor = Supervisor(self._children(), self._tell_restart)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names of the endpoints."""
        return tuple(self._access)

    @property
    def model_checks(self) -> ModelChecks:
        """The checks that need to know the model."""
        if self._model_checks is None:
            from triollama._model_checks import ModelChecks  # noqa: PLC0415 - for who needs it

            self._model_checks = ModelChecks(self.questions.query)
        return self._model_checks

    # ---- the fleet

    def add_endpoint(self, endpoint: EndpointConfig) -> None:
        """Let an endpoint take part.

        Raises:
            ConfigError: it does already, by its name or its address.
        """
        self.streams.check_open()
        access = self._make_access(endpoint)  # first: the environment may not be usable
        self.pool.add(endpoint)
        self._access[endpoint.name] = access
        self.prober.add(endpoint.name)

    def update_endpoint(self, endpoint: EndpointConfig) -> None:
        """Replace an endpoint's configuration; what runs there goes on as it began.

        Raises:
            ConfigError: there is no endpoint of that name, or another one has that address.
        """
        self.streams.check_open()
        access = self._make_access(endpoint)
        self.pool.update(endpoint)
        self._access[endpoint.name] = access
        self.prober.ask_soon(endpoint.name)

    async def drain_endpoint(self, name: str) -> None:
        """Send an endpoint nothing new, and wait until nothing runs there."""
        self.pool.drain(name)
        await self.pool.wait_drained(name)

    async def remove_endpoint(self, name: str) -> None:
        """Send an endpoint nothing new; when nothing runs there, it is no part of the fleet."""
        self.pool.remove(name)
        self.prober.remove(name)
        await self.pool.wait_drained(name)
        self._access.pop(name, None)

    # ---- requests through the pool

    def open_stream(self, kind: Kind[C, R], prepare: Prepare, urgency: Urgency) -> Opening[C, R]:
        """A stream that begins when its block is entered."""
        return Opening(partial(self.begin_stream, kind, prepare, urgency))

    async def begin_stream(
        self, kind: Kind[C, R], prepare: Prepare, urgency: Urgency
    ) -> Stream[C, R]:
        """Prepare a request and start its worker."""
        if self.config.check_models:
            prepare = self.model_checks.after(prepare)
        try:
            terms = urgency.terms(self.config.total_s)
        except InvalidRequestError as error:
            raise await with_others(error, prepare) from None
        fold = kind.fold()
        inflow = ChunkInflow(kind.decode, fold, self.config)
        worker = Worker(await prepare(), terms, inflow, self._services)
        self.streams.spawn(worker)
        return Stream(worker, inflow, lambda: fold.result(usage=inflow.usage))

    async def collect(self, kind: Kind[C, R], prepare: Prepare, urgency: Urgency) -> R:
        """A stream's whole answer, its worker in this task."""
        if self.config.check_models:
            prepare = self.model_checks.after(prepare)
        try:
            terms = urgency.terms(self.config.total_s)
        except InvalidRequestError as error:
            raise await with_others(error, prepare) from None
        fold = kind.fold()
        inflow = ChunkInflow(kind.decode, fold, self.config)
        inflow.collect_only()
        await self.streams.perform(Worker(await prepare(), terms, inflow, self._services))
        if inflow.error is not None:
            raise inflow.error
        return fold.result(usage=inflow.usage)

    async def fetch(self, call: Call, terms: Terms, decode: Callable[[bytes], D]) -> D:
        """An answer that is one document."""
        inflow = DocumentInflow(decode, self.config)
        await self.streams.perform(Worker(call, terms, inflow, self._services))
        if inflow.error is not None:
            raise inflow.error
        assert inflow.value is not None
        return inflow.value

    def spawn(self, call: Call, terms: Terms, inflow: Inflow) -> Worker:
        """A worker in a task of its own; its outcome is told to the inflow.

        Raises:
            EngineClosedError: the engine is closing.
        """
        worker = Worker(call, terms, inflow, self._services)
        self.streams.spawn(worker)
        return worker

    # ---- inside

    def _children(self) -> list[Child]:
        connections = Connections(self._transports.values(), self.config.idle_s)
        children = [
            Child("connections", connections.run),
            Child("pool", self.pool.run),
            Child("prober", self.prober.run),
            Child("streams", self.streams.run),
            Child("watchdog", self.streams.watchdog.run),
            Child("errands", self.errands.run),
        ]
        if self.reactor is not None:
            children.insert(0, Child("reactor", self.reactor.run))
        return children

    def _tell_restart(self, actor: str, error: Exception, restarts: int) -> None:
        kind = type(error).__name__
        now_s = trio.current_time()
        self.facts.publish(ActorRestarted(at_s=now_s, actor=actor, error=kind, restarts=restarts))

    def _make_access(self, endpoint: EndpointConfig) -> EndpointAccess:
        transport = self._transport or self._wire_transport(endpoint.tls)
        if endpoint.auth is None and not endpoint.url.startswith(CLOUD_URL):
            return EndpointAccess(endpoint, transport, self.config)
        # Few programs need it.
        from triollama.actors.streams.access import make_access  # noqa: PLC0415

        return make_access(endpoint, transport, self.config, self._keepers, os.environ)

    def _wire_transport(self, tls: TLSConfig | None) -> WireTransport:
        if tls not in self._transports:
            if tls is not None:
                open_context(tls)  # a file that is not usable is told at once
            self._transports[tls] = WireTransport(
                reactor=self.reactor,
                tls=tls,
                limits=ConnectionLimits(idle_s=self.config.idle_s),
                header_bytes_max=self.config.header_bytes_max,
            )
        return self._transports[tls]


def _draws() -> Callable[[], float]:
    """Numbers in [0, 1), each actor's its own: whose turn is first changes nobody else's numbers.

    So a program that seeds Python's `random` gets the same run again, in simulated time.
    """
    return random.Random(random.getrandbits(64)).random  # noqa: S311 - not for secrets
