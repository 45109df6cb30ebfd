"""The endpoint pool's shell.

Owns: the pool's core, and the tickets of those who wait.

Accepts: plain calls. All actors live in one thread, so a call is as atomic as a message, and a
lease that can be granted at once costs no turn of a mailbox. The task exists for time: it tells the
core when a deadline in line has come, or the end of a time out of service.

When full: `ask` raises `OverloadError`. When cancelled in `wait`, the place in line is given up,
and a lease that was granted in that moment is returned. When the task crashes, nothing is lost: the
state is in the core.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable

import attrs
import trio

from triollama._config import EndpointConfig
from triollama._errors import ConfigError, FleetUnavailableError, TriollamaError
from triollama.actors.facts import FactHub
from triollama.actors.mailbox import ReplySlot
from triollama.actors.pool.core import PoolCore
from triollama.actors.pool.messages import (
    Abandon,
    Acquire,
    Add,
    Drain,
    FirstToken,
    Granted,
    Hold,
    Lease,
    Outcome,
    Place,
    PoolEffect,
    PoolMessage,
    ProbeAnswered,
    ProbeUnanswered,
    Refused,
    Released,
    TimePassed,
    Update,
)
from triollama.actors.pool.statistics import PoolStatistics

_Answer = Lease | TriollamaError


class Pool:
    """Gives leases on endpoints.

    Args:
        endpoints: the fleet.
        line_max: see `EngineConfig.line_max`.
        line_bytes_max: see `EngineConfig.line_bytes_high`.
        facts: is told what happens.
        draw: gives numbers in [0, 1).

    Attributes:
        new_ticket: gives a number for `Acquire.ticket`, once; who asks earlier has a lower one.
    """

    def __init__(
        self,
        endpoints: Iterable[EndpointConfig],
        *,
        line_max: int,
        line_bytes_max: int = 256 * 1024 * 1024,
        facts: FactHub | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._core = PoolCore(endpoints, line_max=line_max, line_bytes_max=line_bytes_max)
        self._facts = facts or FactHub()
        self.new_ticket: Callable[[], int] = itertools.count(1).__next__
        self._draw = draw
        self._waiting: dict[int, ReplySlot[_Answer]] = {}
        self._drained: dict[str, trio.Event] = {}
        self._due_s = math.inf
        self._due_changed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch the due times until cancelled."""
        task_status.started()
        while True:
            with trio.move_on_at(self._due_s):
                await self._due_changed.wait()
            self._due_changed = trio.Event()
            if self._due_s <= trio.current_time():
                self._handle(TimePassed())
                self._due_s = self._core.next_due_s()

    def draw(self) -> float:
        """A number in [0, 1), for `Acquire.draw`."""
        return self._draw()

    def ask(self, ask: Acquire) -> Lease | None:
        """A lease on the endpoint that suits best, or None: then it waits in line.

        Then `wait` must follow at once, with no checkpoint and no other call of the pool between:
        an answer to a ticket that nobody waits for is lost, and the lease with it. Whoever may be
        cancelled has to look before, not between.

        Args:
            ask: what is wanted, now; its ticket is one of `new_ticket`.

        Raises:
            OverloadError: the line is full, or the deadline is too near for it.
            DeadlineExceededError: the deadline has passed.
            FleetUnavailableError: no endpoint is left to try.
        """
        answer = self._answer_in(self._core.handle(ask, ask.asked_s))
        if answer is None or isinstance(answer, Lease):
            return answer
        raise answer

    async def wait(self, ticket: int) -> Lease:
        """The lease that `ask` had none of yet; it must be given to `release`.

        If cancelled, no lease is held and no place in line.

        Raises:
            TriollamaError: as `ask`, and when the deadline came before a lease.
        """
        slot = self._waiting[ticket] = ReplySlot()
        self._watch_due()
        try:
            answer = await slot.wait()
        except BaseException:
            given = slot.take()
            if isinstance(given, Lease):
                self.release(given, Outcome.UNUSED)
            self._handle(Abandon(ticket))
            raise
        finally:
            del self._waiting[ticket]
        if isinstance(answer, Lease):
            return answer
        raise answer

    def place_of(self, ticket: int) -> Place | None:
        """Where in line a request is; None if it does not wait."""
        return self._core.place_of(ticket)

    def first_token(self, lease: Lease, first_token_s: float) -> None:
        """The first token came, so many seconds after the sending. Never waits."""
        self._handle(FirstToken(lease, first_token_s))

    def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        slot_wait_s: float | None = None,
        service_s: float | None = None,
        retry_after_s: float | None = None,
        took_s: float = 0.0,
    ) -> None:
        """The lease is over; see `Released`. Never waits."""
        draw = 0.0 if outcome is Outcome.DONE else self._draw()
        self._handle(Released(lease, outcome, draw, slot_wait_s, service_s, retry_after_s, took_s))
        if lease.endpoint in self._drained:
            self._look_drained(lease.endpoint)

    def hold(self, endpoint: str, until_s: float) -> None:
        """Send an endpoint nothing new before a certain time. Never waits."""
        if self._core.find(endpoint) is not None:
            self._handle(Hold(endpoint, until_s))

    def tell_probe(self, message: ProbeAnswered | ProbeUnanswered) -> None:
        """A probe has ended. Never waits."""
        if isinstance(message, ProbeUnanswered):
            message = attrs.evolve(message, draw=self._draw())
        self._handle(message)

    def has_standing(
        self,
        model: str,
        *,
        excluded: frozenset[str] = frozenset(),
        only: str = "",
        tags: frozenset[str] = frozenset(),
        besides: str = "",
    ) -> bool:
        """Whether an endpoint besides one may take a request, and the last news of it was good."""
        now_s = trio.current_time()
        return self._core.has_standing(
            model, now_s, excluded=excluded, only=only, tags=tags, besides=besides
        )

    # ---- the fleet

    def add(self, endpoint: EndpointConfig) -> None:
        """Let an endpoint take part.

        Raises:
            ConfigError: it does already, by its name or its address, or is just leaving.
        """
        for other in self._core.configs():
            if other.name == endpoint.name or other.url == endpoint.url:
                raise ConfigError(f"the endpoint {other.name!r} ({other.url}) is there already")
        self._handle(Add(endpoint))

    def update(self, endpoint: EndpointConfig) -> None:
        """Replace an endpoint's configuration; one that was being drained is in service again.

        Raises:
            ConfigError: there is none of that name, or another one has that address.
        """
        self._check_known(endpoint.name)
        for other in self._core.configs():
            if other.url == endpoint.url and other.name != endpoint.name:
                raise ConfigError(f"the endpoint {other.name!r} has the address {other.url}")
        self._handle(Update(endpoint))

    def drain(self, name: str) -> None:
        """Send an endpoint nothing new.

        Raises:
            ConfigError: there is none of that name.
        """
        self._check_known(name)
        self._handle(Drain(name))

    def remove(self, name: str) -> None:
        """Send an endpoint nothing new, and forget it when nothing runs there.

        Raises:
            ConfigError: there is none of that name, or it is leaving already.
        """
        self._check_known(name)
        self._handle(Drain(name, removes=True))

    async def wait_drained(self, name: str) -> None:
        """Wait until nothing runs at an endpoint."""
        while self._core.in_flight_at(name):
            event = self._drained.setdefault(name, trio.Event())
            await event.wait()

    def statistics(self) -> PoolStatistics:
        """A snapshot."""
        return self._core.statistics(trio.current_time())

    # ---- inside

    def _handle(self, message: PoolMessage) -> None:
        effects = self._core.handle(message, trio.current_time())
        if effects:
            self._answer_in(effects)
        if effects or isinstance(message, Hold):  # else nothing became due any sooner
            self._watch_due()

    def _answer_in(self, effects: Iterable[PoolEffect]) -> _Answer | None:
        """Perform effects; returns the answer to one who does not wait for it yet."""
        own: _Answer | None = None
        for effect in effects:
            if isinstance(effect, Granted | Refused):
                slot, answer = self._waiting.get(effect.ticket), _meaning(effect)
                if slot is None:
                    own = answer
                else:
                    slot.fill(answer)
            else:
                self._facts.publish(effect)
        return own

    def _watch_due(self) -> None:
        due_s = self._core.next_due_s()
        if due_s < self._due_s:
            self._due_s = due_s
            self._due_changed.set()

    def _look_drained(self, name: str) -> None:
        if not self._core.in_flight_at(name):
            self._drained.pop(name).set()

    def _check_known(self, name: str) -> None:
        if self._core.find(name) is None:
            known = ", ".join(each.name for each in self._core.configs()) or "none"
            raise ConfigError(f"there is no endpoint {name!r}; there are: {known}")


def _meaning(effect: Granted | Refused) -> _Answer:
    if isinstance(effect, Granted):
        return effect.lease
    return effect.error or FleetUnavailableError(())
