"""A whole pool over simulated servers in virtual time: traffic, slots, lines, and what came of it.

Each server works on a fixed number of requests at once and lets the others wait in its own line,
first come first served, as Ollama does. A request that is not whole at its deadline is given up.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs

from triollama._config import EndpointConfig
from triollama._errors import TriollamaError
from triollama.actors.pool.core import PoolCore
from triollama.actors.pool.messages import (
    Acquire,
    FirstToken,
    Granted,
    Lease,
    Outcome,
    PoolMessage,
    Refused,
    Released,
    TimePassed,
)

Range = tuple[float, float]


@attrs.define(eq=False)
class Request:
    """One request, and when what happened to it; None where it did not."""

    caller: str
    asked_s: float
    deadline_s: float
    lease: Lease | None = None
    granted_s: float | None = None
    began_s: float | None = None
    first_s: float | None = None
    done_s: float | None = None
    ended_s: float | None = None
    error: TriollamaError | None = None

    @property
    def took_s(self) -> float:
        """From asking to the end of the answer; infinity where there was none."""
        return math.inf if self.done_s is None else self.done_s - self.asked_s

    @property
    def first_token_s(self) -> float:
        """From asking to the first token; infinity where there was none."""
        return math.inf if self.first_s is None else self.first_s - self.asked_s


@attrs.define
class Server:
    """One server: its slots, its speed, and who is there."""

    slots: int
    times_slower: float = 1.0
    running: int = 0
    line: deque[Request] = attrs.field(factory=deque)


class World:
    """See the module.

    Args:
        seed: of all that is drawn.
        servers: how many.
        slots: how many requests each works on at once.
        is_told: whether the pool is told that number, or has to learn it.
        prefill_s: how long a request that runs takes to its first token.
        answer_s: and from there to its end.
        line_max: see `EngineConfig.line_max`.
        config: more of each `EndpointConfig`.
    """

    def __init__(
        self,
        seed: int,
        *,
        servers: int,
        slots: int,
        is_told: bool = True,
        prefill_s: Range = (0.1, 0.3),
        answer_s: Range = (1.0, 3.0),
        line_max: int = 10_000,
        **config: Any,
    ) -> None:
        self.rng = random.Random(seed)
        self.now_s = 0.0
        self.prefill_s, self.answer_s = prefill_s, answer_s
        names = [f"e{number}" for number in range(servers)]
        self.servers = {name: Server(slots) for name in names}
        given = {"num_parallel": slots if is_told else None} | config
        configs = [EndpointConfig(f"http://{name}:1", name, **given) for name in names]
        self.core = PoolCore(configs, line_max=line_max, line_bytes_max=10**9)
        self.requests: list[Request] = []
        self._open: dict[int, Request] = {}
        self._tickets = itertools.count(1)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    @property
    def capacity_per_s(self) -> float:
        """The answers that healthy servers can give in a second."""
        mean_s = (sum(self.prefill_s) + sum(self.answer_s)) / 2
        return sum(each.slots for each in self.servers.values()) / mean_s

    def run(self, until_s: float) -> None:
        """Let time pass."""
        while True:
            next_s = self._agenda[0][0] if self._agenda else math.inf
            due_s = self.core.next_due_s()
            if min(next_s, due_s) > until_s:
                break
            if due_s < next_s:  # of one moment, what happens there comes before what is due here
                self.now_s = max(due_s, self.now_s)
                self._tell(TimePassed())
            else:
                self.now_s, _, happen = heapq.heappop(self._agenda)
                happen()
        self.now_s = until_s

    def at(self, at_s: float, happen: Callable[[], None]) -> None:
        """Something is to happen."""
        heapq.heappush(self._agenda, (at_s, next(self._numbers), happen))

    def flow(
        self,
        per_s: float,
        from_s: float,
        to_s: float,
        *,
        is_even: bool = False,
        **ask: Any,
    ) -> None:
        """Requests that come, so many a second, at random or evenly; `ask` is what they are."""

        def come() -> None:
            self.flow(per_s, self.now_s, to_s, is_even=is_even, **ask)
            self.ask(**ask)

        at_s = from_s + (1.0 / per_s if is_even else self.rng.expovariate(per_s))
        if at_s < to_s:
            self.at(at_s, come)

    def ask(self, caller: str = "", patience_s: float = math.inf, **more: Any) -> Request:
        """One request comes."""
        deadline_s = self.now_s + patience_s
        request, ticket = Request(caller, self.now_s, deadline_s), next(self._tickets)
        self.requests.append(request)
        self._open[ticket] = request
        terms: dict[str, Any] = {"draw": self.rng.random(), "caller": caller} | more
        due_s = deadline_s  # for the place and for the answer
        self._tell(Acquire(ticket, "m", due_s, self.now_s, answer_by_s=due_s, **terms))
        return request

    def warm_up(self) -> None:
        """Each server has the model loaded."""
        for name in self.servers:
            self.ask(only=name)
        self.run(self.now_s + sum(self.prefill_s) + sum(self.answer_s))
        self.requests.clear()

    def between(self, from_s: float, to_s: float) -> list[Request]:
        """The requests of some time."""
        return [each for each in self.requests if from_s <= each.asked_s < to_s]

    def held(self) -> dict[str, int]:
        """How many requests each server holds, running or in its line."""
        return {name: each.running + len(each.line) for name, each in self.servers.items()}

    def check_quiet(self) -> None:
        """Nothing runs and nobody waits: all that was asked has ended."""
        now = self.core.statistics(self.now_s)
        assert now.waiting == 0
        assert [each.in_flight for each in now.endpoints] == [0] * len(self.servers)
        assert not any(self.held().values())
        assert not self._open
        assert all(each.ended_s is not None for each in self.requests)

    # ---- inside

    def _tell(self, message: PoolMessage) -> None:
        for effect in self.core.handle(message, self.now_s):
            if isinstance(effect, Granted):
                self._send(self._open.pop(effect.ticket), effect.lease)
            elif isinstance(effect, Refused):
                request = self._open.pop(effect.ticket)
                request.error, request.ended_s = effect.error, self.now_s

    def _send(self, request: Request, lease: Lease) -> None:
        request.lease, request.granted_s = lease, self.now_s
        if request.deadline_s < math.inf:
            self.at(request.deadline_s, partial(self._give_up, request))
        server = self.servers[lease.endpoint]
        server.line.append(request)
        self._serve(server)

    def _serve(self, server: Server) -> None:
        while server.line and server.running < server.slots:
            request = server.line.popleft()
            server.running += 1
            request.began_s = self.now_s
            first_s = self.now_s + self.rng.uniform(*self.prefill_s) * server.times_slower
            done_s = first_s + self.rng.uniform(*self.answer_s) * server.times_slower
            self.at(first_s, partial(self._first, request))
            self.at(done_s, partial(self._done, request))

    def _first(self, request: Request) -> None:
        if request.ended_s is None:
            assert request.lease is not None
            assert request.granted_s is not None
            request.first_s = self.now_s
            self._tell(FirstToken(request.lease, self.now_s - request.granted_s))

    def _done(self, request: Request) -> None:
        if request.ended_s is None:
            request.done_s = self.now_s
            self._end(request, Outcome.DONE)

    def _give_up(self, request: Request) -> None:
        if request.ended_s is None:
            self._end(request, Outcome.UNUSED)

    def _end(self, request: Request, outcome: Outcome) -> None:
        assert request.lease is not None
        assert request.granted_s is not None
        request.ended_s = self.now_s
        server = self.servers[request.lease.endpoint]
        times: dict[str, float] = {}
        if request.began_s is None:
            server.line.remove(request)
        else:
            server.running -= 1
            times["slot_wait_s"] = request.began_s - request.granted_s
            times["service_s"] = self.now_s - request.began_s
        self._serve(server)
        took_s = self.now_s - request.granted_s
        self._tell(Released(request.lease, outcome, took_s=took_s, **times))


def p99(values: Iterable[float]) -> float:
    """The 99th percentile (nearest rank)."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * 99 / 100) - 1]
