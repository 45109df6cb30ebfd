"""The fastest asyncio client that one can write by hand: aiohttp on uvloop, typed msgspec."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

import aiohttp
import uvloop

from benchmarks.clients.asyncio_tasks import run_readers
from benchmarks.clients.lines import BODY, decode
from benchmarks.measure import Measurement, Tally
from benchmarks.plan import Plan

_Reader = Callable[[aiohttp.ClientSession, Tally], Coroutine[None, None, None]]


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one task each, and count their chunks."""
    return uvloop.run(_measure(plan, plan.streams, _read))


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, and count the answers."""
    return uvloop.run(_measure(plan, plan.in_flight, _ask))


def hold(plan: Plan) -> Measurement:
    """Hold streams open and measure the memory that they take."""
    return chunks(plan)


async def _measure(plan: Plan, tasks: int, reader: _Reader) -> Measurement:
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(plan.url, connector=connector, timeout=timeout) as session:
        return await run_readers(plan, tasks, lambda tally: reader(session, tally))


async def _read(session: aiohttp.ClientSession, tally: Tally) -> None:
    async with session.post("/api/chat", json=BODY) as response:
        tally.open += 1
        async for line in response.content:
            tally.characters += len(decode(line).message.content)
            tally.count += 1


async def _ask(session: aiohttp.ClientSession, tally: Tally) -> None:
    tally.open += 1
    while True:
        async with session.post("/api/chat", json=BODY) as response:
            tally.characters += len(decode(await response.read()).message.content)
            tally.count += 1
