"""A server's whole state and its decisions: requests and the time go in, bytes come out.

Owns the scheduler, the store, the agenda, the faults and the counts of one simulated server. There
is no task, clock, socket or global randomness below this module: a driver gives it requests with
`Simulator.submit`, the time with `Simulator.advance`, and the news that a client has gone, or does
not read, with `cancel`, `block` and `unblock`. The same inputs at the same times give the same
bytes.

Invariant: accepted = finished + failed + cancelled + in flight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from .agenda import Agenda
from .config import SimulatorConfig
from .embed_job import EmbedJob
from .encoding import Stamps
from .errors import ApiError
from .event_faults import FaultyResponse
from .exchange import Exchange
from .faults import Fault, FaultTable, RequestFacts
from .models import ModelConfig
from .response import Ending, Request, Response, Wire
from .routes import facts_of, handler_of, is_control
from .runner import Stage
from .scheduler import Scheduler
from .statistics import SimulatorStatistics
from .store import ModelStore
from .text import Author, Lengths
from .text_job import TextJob
from .transfers import Transfers
from .wire_faults import FaultyWire
from .work import Steps, Work

__all__ = ["Simulator"]

_STEP_TASKS_MAX = 256
"""Streams served in one step. A server that is asked for more than it can do falls behind; without
a bound each step would make up for the one before, and take longer, until nothing else had a
turn."""


class Simulator:
    """One simulated Ollama server, without anything around it.

    Args:
        config: what it is.
        wall_ns: the wall clock, in nanoseconds since 1970, at zero of the caller's clock.

    Attributes:
        config: what it is.
        stamps: formats times.
        agenda: what is due, and when.
        store: its models.
        pulls: layers on their way from the registry.
        pushes: layers on their way to it.
        account: who the server is signed in as; empty for nobody.
        scheduler: who waits and what is loaded.
        faults: the rules in force.
        connections: open connections; the driver keeps it.
        refuse_until: until when connections are refused, on the caller's clock.
        speed: of prefill and decode, as a share of the configured one; see `set_speed`.
        on_restart: called by a restart, so that the driver cuts idle connections too.
        on_defect: told of each defect of the simulator itself; until a driver sets it, they are
            raised.
    """

    def __init__(self, config: SimulatorConfig, *, wall_ns: int = 0) -> None:
        self.config = config
        self.stamps = Stamps(wall_ns)
        self.agenda = Agenda(on_defect=self.defect)
        self.store = ModelStore(config.models, config.registry)
        self.pulls = Transfers(config.transfer_bytes_per_s)
        self.pushes = Transfers(config.transfer_bytes_per_s)
        self.account = config.account
        self.scheduler = Scheduler(config, self.agenda)
        self.faults = FaultTable(config.faults, config.seed)
        self.connections = 0
        self.refuse_until = float("-inf")
        self.speed = 1.0
        self.on_restart: Callable[[], None] | None = None
        self.on_defect: Callable[[Exception], None] = _raise
        self._authors: dict[str, Author] = {}
        self._flying: dict[Exchange, None] = {}  # in the order of arrival
        self._counts: Counter[str] = Counter()
        self._routes: Counter[str] = Counter()
        self._now = 0.0

    # ---- what a driver calls

    @property
    def next_due(self) -> float:
        """When `advance` has something to do, on the caller's clock; infinity for never."""
        return self.agenda.next_due

    def submit(self, request: Request, wire: Wire, now: float) -> Exchange:
        """Take a request. Its response goes to the wire, perhaps all of it before this returns.

        Args:
            request: what was asked.
            wire: where the answer goes.
            now: the caller's clock; it never goes back.
        """
        self._now = now
        exchange = Exchange(self, request, wire, now)
        exchange.response = Response(exchange, request, self.stamps)
        self._routes[exchange.route] += 1
        if not is_control(exchange.route):
            self._counts["accepted"] += 1
            self._flying[exchange] = None
        self._handle(exchange, now)
        return exchange

    def advance(self, now: float) -> None:
        """Do what is due, or a good part of it: then `next_due` is not in the future."""
        self._now = now
        self.agenda.run(now, tasks_max=_STEP_TASKS_MAX)

    def cancel(self, exchange: Exchange, now: float) -> None:
        """The client has gone: stop its generation, leave the lines, abort the load it caused."""
        self._now = now
        if not exchange.over:
            self._depart(exchange, "cancelled")

    def block(self, exchange: Exchange) -> None:
        """The client does not read: its generation stands still until `unblock`."""
        _block(exchange)
        if exchange.faulty is not None:
            exchange.faulty.pause()

    def unblock(self, exchange: Exchange, now: float) -> None:
        """The client reads again."""
        self._now = now
        _unblock(exchange, now)
        if exchange.faulty is not None:
            exchange.faulty.resume()

    def restart(self, now: float) -> None:
        """Be a new process: every connection is cut, no model is loaded; counts and rules stay."""
        self._now = now
        self._counts["restarts"] += 1
        self.scheduler.restart()
        for exchange in list(self._flying):
            exchange.finish(Ending.RESET)
        if self.on_restart is not None:
            self.on_restart()

    def reset(self, now: float) -> None:
        """Be as new: a restart, with the configuration's models and rules, and no counts."""
        self.restart(now)
        self.store.reset()
        self.pulls.reset()
        self.pushes.reset()
        self.account = self.config.account
        self.faults.set(self.config.faults)
        self.refuse_until = float("-inf")
        self.set_speed(1.0)
        self._counts.clear()
        self._routes.clear()

    def set_speed(self, share: float) -> None:
        """Read and write at this share of the configured speed, answers under way too.

        Args:
            share: above 0; 1 is as configured.
        """
        factor, self.speed = share / self.speed, share
        for exchange in self._flying:
            if exchange.job is not None and exchange.job.generation is not None:
                exchange.job.generation.quicken(factor)

    def is_refusing(self, now: float) -> bool:
        """Whether connections are refused now."""
        return now < self.refuse_until

    def statistics(self) -> SimulatorStatistics:
        """What the server is doing."""
        counts, scheduler = self._counts, self.scheduler
        return SimulatorStatistics(
            accepted=counts["accepted"],
            finished=counts["finished"],
            failed=counts["failed"],
            cancelled=counts["cancelled"],
            in_flight=len(self._flying),
            generations_started=counts["started"],
            generations_finished=counts["ended"],
            generations_aborted=counts["aborted"],
            slot_line=scheduler.slot_lines,
            load_line=scheduler.load_line,
            loading=scheduler.loading,
            loaded=tuple(runner.model.display for runner in scheduler.runners.values()),
            connections=self.connections,
            refusing=self.is_refusing(self._now),
            restarts=counts["restarts"],
            routes=dict(self._routes),
            faults=tuple(self.faults.acted()),
            transfers=len(self.pulls) + len(self.pushes),
            bytes_pulled=self.pulls.bytes_moved,
            bytes_pushed=self.pushes.bytes_moved,
        )

    # ---- what its parts call

    def author(self, model: ModelConfig) -> Author:
        """Who writes a model's answers."""
        author = self._authors.get(model.author_key)
        if author is None:
            config = self.config
            lengths = Lengths(
                config.answer_tokens_min,
                config.answer_tokens_max,
                config.think_tokens_min,
                config.think_tokens_max,
            )
            key = model.author_key
            author = self._authors[key] = Author(config.seed, key, lengths)
        return author

    def admit(self, exchange: Exchange, job: TextJob | EmbedJob, now: float) -> None:
        """Give a request to the scheduler."""
        exchange.job = job
        self.scheduler.admit(job, now)

    def begin_work(self, exchange: Exchange, steps: Steps, now: float, *, is_stream: bool) -> None:
        """Begin a pull, a push or a create."""
        exchange.work = work = Work(self, exchange, steps, is_stream=is_stream)
        work.start(now)

    @property
    def wall_ns(self) -> int:
        """The wall clock of the step under way, in nanoseconds since 1970."""
        return self.stamps.wall_ns(self._now)

    def generation_started(self) -> None:
        """An answer got a slot."""
        self._counts["started"] += 1

    def generation_ended(self, job: TextJob | EmbedJob, now: float) -> None:
        """An answer was written to its end: its slot is free before its last event is sent."""
        self._counts["ended"] += 1
        self.scheduler.leave(job, now)

    def exchange_over(self, exchange: Exchange, ending: Ending) -> None:
        """A response ended, in good order or by a cut."""
        job = exchange.job
        is_whole = job is None or job.stage is not Stage.RUNNING
        good = is_whole and ending in {Ending.KEEP, Ending.CLOSE}
        self._depart(exchange, "finished" if good else "failed")

    def defect(self, exchange: Exchange | None, error: Exception) -> None:
        """Something went wrong that never should: end the one request that it belongs to.

        As a panic in Ollama does, it gives an empty 500 if nothing was sent yet; else the
        connection is cut. The others go on.

        Args:
            exchange: the request; None if it is nobody's in particular.
            error: what was raised.
        """
        if exchange is not None and not exchange.over:
            if not exchange.response.started:
                # Another response, because a fault's own may be what failed.
                plain = Response(exchange, exchange.request, self.stamps)
                plain.reply(500, b"", b"", self._now)
            exchange.finish(Ending.RESET)
        self.on_defect(error)

    # ---- inside

    def _depart(self, exchange: Exchange, outcome: str) -> None:
        job, work = exchange.job, exchange.work
        exchange.abandon()
        if work is not None:
            work.leave(self._now)
        if self._flying.pop(exchange, exchange) is None:
            self._counts[outcome] += 1
        if job is not None:
            if job.generation is not None:
                job.generation.over = True
                job.generation = None
            if job.stage is Stage.RUNNING:
                self._counts["aborted"] += 1
            self.scheduler.leave(job, self._now)

    def _handle(self, exchange: Exchange, now: float) -> None:
        """Let the route answer, unless a fault does."""
        try:
            if self.faults and not is_control(exchange.route):
                self._meet_fault(exchange, now)
            if not exchange.over:
                handler_of(exchange)(self, exchange, now)
        except ApiError as error:
            exchange.response.error(error.status, error.message, now)
        except Exception as error:  # noqa: BLE001  # it ends this request alone, and is reported
            self.defect(exchange, error)

    def _meet_fault(self, exchange: Exchange, now: float) -> None:
        """Draw the fault of a request and answer in its place, if that is the fault."""
        fault = self.faults.pick(RequestFacts(*facts_of(exchange)))
        if fault is None:
            return

        def on_full(is_full: bool) -> None:  # noqa: FBT001  # yes or no is all there is to tell
            if is_full:
                _block(exchange)
            else:
                _unblock(exchange, self._now)

        exchange.fault = fault
        wire = FaultyWire(
            exchange,
            self.agenda,
            lambda: self._now,
            on_full,
            reset_after_bytes=fault.after_bytes if fault.kind == "reset" else None,
            bytes_per_s=fault.bytes_per_s if fault.kind == "drip" else None,
        )
        exchange.faulty = wire
        response = FaultyResponse(wire, exchange.request, self.stamps, fault)
        exchange.response = response
        self._strike(fault, now)
        response.preempt(now)

    def _strike(self, fault: Fault, now: float) -> None:
        """Do what a fault does to the whole server."""
        if fault.kind == "restart":
            self.restart(now)
        elif fault.kind == "refuse":
            seconds = float("inf") if fault.seconds is None else fault.seconds
            self.refuse_until = max(self.refuse_until, now + seconds)


def _block(exchange: Exchange) -> None:
    if exchange.work is not None:
        exchange.work.block()
    if exchange.job is not None and exchange.job.generation is not None:
        exchange.job.generation.block()


def _unblock(exchange: Exchange, now: float) -> None:
    if exchange.work is not None:
        exchange.work.unblock(now)
    if exchange.job is not None and exchange.job.generation is not None:
        exchange.job.generation.unblock(now)


def _raise(error: Exception) -> None:
    raise error
