"""What `httpx_trio` and `httpx_asyncio` share: httpx runs the same code on either loop.

Chosen for speed: no limit on connections, no timeouts, raw bytes that are cut into lines here
(``aiter_lines`` decodes every piece into text first), lines decoded by msgspec into the struct of
the other hand-written clients. Connections are not kept alive: the pool looks at every idle one for
every request, and looks at all of them for each of those; with 100 in flight, a request took 16 ms
of CPU with all of them kept alive and 0.8 ms with none.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import msgspec

from benchmarks.clients.lines import BODY, decode
from benchmarks.measure import Measurement, Tally
from benchmarks.plan import Plan

Runner = Callable[
    [Plan, int, Callable[[Tally], Coroutine[Any, Any, None]]], Coroutine[Any, Any, Measurement]
]
"""``run_readers`` of either loop."""

Reader = Callable[[httpx.AsyncClient, Tally], Coroutine[Any, Any, None]]
"""Reads for ever, counting in the tally that it is given."""

_HEADERS = {"Content-Type": "application/json"}


async def measure(plan: Plan, run: Runner, tasks: int, reader: Reader) -> Measurement:
    """Run readers on one client and measure while all of them are open."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=plan.url, limits=limits, timeout=None) as client:
        return await run(plan, tasks, lambda tally: reader(client, tally))


async def read(client: httpx.AsyncClient, tally: Tally) -> None:
    """Read one stream, woken for each piece of it."""
    body, tail = msgspec.json.encode(BODY), b""
    async with client.stream("POST", "/api/chat", content=body, headers=_HEADERS) as response:
        response.raise_for_status()
        tally.open += 1
        async for data in response.aiter_raw():
            lines = (tail + data).split(b"\n") if tail else data.split(b"\n")
            tail = lines.pop()
            for line in lines:
                tally.characters += len(decode(line).message.content)
                tally.count += 1


async def ask(client: httpx.AsyncClient, tally: Tally) -> None:
    """Ask for one answer after the other."""
    tally.open += 1
    while True:
        body = msgspec.json.encode(BODY)
        response = await client.post("/api/chat", content=body, headers=_HEADERS)
        tally.characters += len(decode(response.content).message.content)
        tally.count += 1
