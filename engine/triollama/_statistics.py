"""The numbers of a whole engine at one moment."""

from __future__ import annotations

import attrs

from triollama._runtime import Runtime
from triollama.actors.facts import FactStatistics
from triollama.actors.health import ProberStatistics
from triollama.actors.limits import LimiterStatistics
from triollama.actors.pool import EndpointStatistics, PoolStatistics
from triollama.wire.reactor import ReactorStatistics


@attrs.frozen
class EngineStatistics:
    """The engine at one moment: ``accepted = done + failed + cancelled + waiting + running``.

    Attributes:
        accepted: requests taken on so far.
        done: answered whole.
        failed: ended with an error.
        cancelled: given up by their caller, or by the closing of the engine.
        waiting: in line, or between two attempts.
        running: sent to an endpoint, or being sent.
        pool: the endpoints and the line.
        health: the probes.
        limits: the rate limiter.
        facts: what was told, and to how many.
        reactor: the reactor's sockets; None where there is no reactor.
        restarts: how often each actor was started again after a crash.
    """

    accepted: int
    done: int
    failed: int
    cancelled: int
    waiting: int
    running: int
    pool: PoolStatistics
    health: ProberStatistics
    limits: LimiterStatistics
    facts: FactStatistics
    reactor: ReactorStatistics | None
    restarts: dict[str, int]

    @property
    def endpoints(self) -> tuple[EndpointStatistics, ...]:
        """One entry per endpoint, in the order in which they were added."""
        return self.pool.endpoints


def take_statistics(runtime: Runtime) -> EngineStatistics:
    """Look at all actors of an engine now."""
    return EngineStatistics(
        **attrs.asdict(runtime.streams.statistics()),
        pool=runtime.pool.statistics(),
        health=runtime.prober.statistics(),
        limits=runtime.limiter.statistics(),
        facts=runtime.facts.statistics(),
        reactor=runtime.reactor.statistics() if runtime.reactor is not None else None,
        restarts=runtime.supervisor.restarts(),
    )
