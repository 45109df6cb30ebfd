"""What is really sent: a transport that notes each request, and the rates that must hold there.

Owns the times of the requests per server. The limit per endpoint is looked at here, because it is
taken just before sending; the others are taken before the line, and what waited there may come in a
burst.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import httpx
import trio

from triollama._config import RateLimit
from triollama_adapters.simulator.faults import INFERENCE_ROUTES

__all__ = ["Traffic", "is_too_much"]

_RENDERS = b'"_debug_render_only":true'
"""A request that asks for the rendered prompt only costs no tokens, and counts as part of the one
that it is made for."""


class Traffic(httpx.AsyncBaseTransport):
    """Passes requests on, and notes when they were made.

    Args:
        transport: carries them.

    Attributes:
        sent_s: the times by server, on trio's clock.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.sent_s: dict[str, list[float]] = {}
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note the time of a request for inference, and send it."""
        if request.url.path in INFERENCE_ROUTES and _RENDERS not in await request.aread():
            server = request.url.netloc.decode()
            self.sent_s.setdefault(server, []).append(trio.current_time())
        return await self._transport.handle_async_request(request)

    def complaints(self, limits: Sequence[RateLimit]) -> Iterator[str]:
        """Endpoints that got more than they may."""
        for limit in limits:
            if limit.scope != "endpoint" or limit.requests_per_s is None:
                continue
            for server, times_s in self.sent_s.items():
                if is_too_much(times_s, limit.requests_per_s, limit.burst_s):
                    yield f"{server} got more than {limit.requests_per_s:g} requests per second"


def is_too_much(times_s: Sequence[float], per_s: float, burst_s: float) -> bool:
    """Whether requests came faster than a bucket of so much allows, at any time."""
    capacity = max(1.0, per_s * burst_s)
    content, at_s = capacity, 0.0
    for time_s in times_s:
        content = min(capacity, content + (time_s - at_s) * per_s) - 1.0
        at_s = time_s
        if content < -1e-6:
            return True
    return False
