"""One request and its response: who asked, what came of it, and who must be told.

Owns the moment at which a response is over. The response writes through it to the driver's wire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .embed_job import EmbedJob
from .faults import Fault
from .paths import route_of
from .response import Ending, Request, Response, Wire
from .text_job import TextJob
from .wire_faults import FaultyWire

if TYPE_CHECKING:
    from .core import Simulator
    from .work import Work

__all__ = ["Exchange"]


class Exchange:
    """One request in flight.

    Attributes:
        request: what was asked.
        path: its path, without a query.
        route: the same as the table of routes has it.
        arrived: when, on the caller's clock.
        response: where the answer goes.
        write: the wire's, taken once because it is called for every token.
        job: what the scheduler knows it as; None for a request without inference.
        work: what tells of its progress; None for a request without.
        over: whether the response has ended or the client has gone; then the rest is not there.
        fault: what befalls it; None for nothing.
        faulty: the wire that carries out a fault; None for none.

    Args:
        simulator: the server.
        request: what was asked.
        wire: where the answer goes.
        now: the caller's clock.
    """

    __slots__ = (
        "_simulator",
        "_wire",
        "arrived",
        "fault",
        "faulty",
        "job",
        "over",
        "path",
        "request",
        "response",
        "route",
        "work",
        "write",
    )

    response: Response

    def __init__(self, simulator: Simulator, request: Request, wire: Wire, now: float) -> None:
        self._simulator = simulator
        self._wire = wire
        self.write: Callable[[bytes], None] = wire.write
        self.request = request
        self.path = request.target.partition("?")[0]
        self.route = route_of(self.path)
        self.arrived = now
        self.job: TextJob | EmbedJob | None = None
        self.work: Work | None = None
        self.over = False
        self.fault: Fault | None = None
        self.faulty: FaultyWire | None = None

    def finish(self, ending: Ending) -> None:
        """The response is over: leave the server, then tell the connection."""
        if not self.over:
            self._simulator.exchange_over(self, ending)
            self._wire.finish(ending)

    def abandon(self) -> None:
        """Send nothing more, neither now nor later, and let go of all that refers back to this.

        Without the second, a request's body of many megabytes would stay until the collector of
        cycles comes by, which a quiet server may not see for hours.
        """
        self.over = True
        self.write = _nowhere
        if self.faulty is not None:
            self.faulty.abandon()
        self.faulty = None
        self.job = None
        self.work = None
        del self.response


def _nowhere(_data: bytes) -> None:
    """Drop what comes after the end."""
