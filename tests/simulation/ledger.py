"""What must be true at every moment, looked at after every turn of trio's loop.

Owns an instrument. After each turn it looks at the ledger of requests; after each simulated step,
when every task waits, at the pool as well. A complaint ends the run: later ones would only follow
from the first.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio
from tests.simulation.scenario import Scenario

from triollama import Engine
from triollama.actors.pool import PoolStatistics

__all__ = ["STEPS_MAX", "Ledger"]

_Rule = tuple[bool, str, object]
"""Whether it holds, what it means if not, and what to show then."""

STEPS_MAX = 400_000
"""Turns of the loop; a scenario takes some thousands. More is a loop that no time passes in."""


class Ledger(trio.abc.Instrument):
    """Looks at an engine all the time.

    Args:
        engine: which.
        scenario: what it is used for.
        scope: is cancelled by the first complaint.

    Attributes:
        complaint: the first thing that was wrong; empty if nothing was.
        checks: invariants that held, counted.
        steps: turns of the loop.
    """

    def __init__(self, engine: Engine, scenario: Scenario, scope: trio.CancelScope) -> None:
        self.complaint = ""
        self.checks = 0
        self.steps = 0
        self._engine = engine
        self._line_max = scenario.config.line_max
        self._scope = scope
        self._limits = {
            server.url.removeprefix("http://"): server.max_in_flight for server in scenario.servers
        }
        self._line_bytes_high = scenario.config.line_bytes_high
        self._ended = 0
        self._out: set[str] = set()
        self._size = 0

    def before_io_wait(self, timeout: float) -> None:
        """A turn is over. The timeout tells nothing: where the clock jumps by itself, it is 0."""
        self.steps += 1
        self.look(is_at_rest=trio.lowlevel.current_statistics().tasks_runnable == 0)
        if self.steps > STEPS_MAX:
            self._complain(f"there were {STEPS_MAX} turns: something goes round in circles")

    def look(self, *, is_at_rest: bool) -> None:
        """Look once.

        Args:
            is_at_rest: whether every task waits. Else one who waited in line may have a lease, and
                not know it yet.
        """
        for is_right, told, seen in self._rules(is_at_rest=is_at_rest):
            self.checks += 1
            if not is_right:
                self._complain(f"{told}: {seen}")
                return

    def _complain(self, told: str) -> None:
        if not self.complaint:
            self.complaint = told
            self._scope.cancel()

    def _rules(self, *, is_at_rest: bool) -> Iterator[_Rule]:
        runtime = self._engine._runtime  # not `Engine.statistics`, which asks every actor
        now = runtime.streams.statistics()
        ended = now.done + now.failed + now.cancelled
        yield now.accepted == ended + now.waiting + now.running, "requests are lost", now
        yield ended >= self._ended, "an outcome was taken back", now
        self._ended = ended
        if is_at_rest:
            pool = runtime.pool.statistics()
            in_flight = sum(each.in_flight for each in pool.endpoints)
            is_held = in_flight == now.running
            yield is_held, "what runs and what has a lease differ", (now, pool)
            yield from self._rules_of_line(pool)
            yield from self._rules_of_endpoints(pool)
            yield from self._rules_of_ejection(pool)

    def _rules_of_endpoints(self, pool: PoolStatistics) -> Iterator[_Rule]:
        for each in pool.endpoints:
            limit = min(self._limits[each.name], each.in_flight_max)
            yield 0 <= each.in_flight <= limit, "beyond a limit", each
            ends = sum(each.outcomes.values())
            yield each.granted == each.in_flight + ends, "leases are lost", each
            slots = each.slots.values()
            yield all(1 <= count <= limit for count in slots), "beyond the bounds of slots", each

    def _rules_of_line(self, pool: PoolStatistics) -> Iterator[_Rule]:
        """Only requests that were sent before may wait beyond the limits, so as not to be lost."""
        bound = self._line_max
        if pool.waiting > bound:
            workers = self._engine._runtime.streams._workers
            bound += sum(bool(worker.history) for worker in workers)
        yield pool.waiting <= bound, "the line is longer than its limit", pool
        yield 0 <= pool.waiting_bytes <= self._line_bytes_high, "the line has too many bytes", pool

    def _rules_of_ejection(self, pool: PoolStatistics) -> Iterator[_Rule]:
        """No ejection takes out more than half of those that are not leaving (B2).

        One of them may have left in the same step, after the ejection.
        """
        fleet = [each for each in pool.endpoints if not each.is_draining]
        out = {each.name for each in fleet if each.state != "closed"}
        is_more = bool(out - self._out)
        size, self._size = max(self._size, len(fleet)), len(fleet)
        yield not is_more or len(out) <= size // 2, "more than half are out", pool
        self._out = out
