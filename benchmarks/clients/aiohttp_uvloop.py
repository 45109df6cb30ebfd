"""The fastest asyncio client that one can write by hand: aiohttp on uvloop, typed msgspec.

No limit on connections, no timeouts. What else was tried costs the same within the noise: pieces
from ``iter_any`` cut into lines here, no cookies, no automatic headers, no decompression.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

import aiohttp
import msgspec
import uvloop

from benchmarks.clients import asyncio_moments
from benchmarks.clients.asyncio_tasks import run_readers
from benchmarks.clients.lines import BODY, decode
from benchmarks.clients.moments import Take
from benchmarks.measure import Measurement, Tally
from benchmarks.plan import Plan

_Reader = Callable[[aiohttp.ClientSession, Tally], Coroutine[None, None, None]]


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one task each, and count their chunks."""
    return uvloop.run(_measure(plan, plan.streams, _read))


def collect(plan: Plan) -> Measurement:
    """Hold streams open and gather each one's text, as one who wants only the whole answer."""
    return uvloop.run(_measure(plan, plan.streams, _gather))


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, and count the answers."""
    return uvloop.run(_measure(plan, plan.in_flight, _ask))


def delays(plan: Plan) -> Measurement:
    """Hold stamped streams open and note how long after its sending each chunk is there."""
    return uvloop.run(_in_session(plan, asyncio_moments.delays))


def opening(plan: Plan) -> Measurement:
    """Open all streams at once; the window ends with the first chunk of the last one."""
    return uvloop.run(_in_session(plan, asyncio_moments.opening))


def cancelling(plan: Plan) -> Measurement:
    """Cancel all streams at once, while they flow, and look at what is left of them."""
    return uvloop.run(_in_session(plan, asyncio_moments.cancelling))


def _session(plan: Plan) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        plan.url,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None),
        json_serialize=lambda body: msgspec.json.encode(body).decode(),
    )


async def _measure(plan: Plan, tasks: int, reader: _Reader) -> Measurement:
    async with _session(plan) as session:
        return await run_readers(plan, tasks, lambda tally: reader(session, tally))


async def _read(session: aiohttp.ClientSession, tally: Tally) -> None:
    async with session.post("/api/chat", json=BODY) as response:
        tally.open += 1
        async for line in response.content:
            tally.characters += len(decode(line).message.content)
            tally.count += 1


async def _gather(session: aiohttp.ClientSession, tally: Tally) -> None:
    # Whole lines as they come: with `response.read()` nobody could count them, nor time the last.
    texts: list[str] = []
    async with session.post("/api/chat", json=BODY) as response:
        tally.open += 1
        async for line in response.content:
            texts.append(decode(line).message.content)
            tally.count += 1
    tally.characters += len("".join(texts))


async def _ask(session: aiohttp.ClientSession, tally: Tally) -> None:
    tally.open += 1
    while True:
        async with session.post("/api/chat", json=BODY) as response:
            tally.characters += len(decode(await response.read()).message.content)
            tally.count += 1


async def _in_session(
    plan: Plan, task: Callable[[Plan, asyncio_moments.Reader], Awaitable[Measurement]]
) -> Measurement:
    async with _session(plan) as session:
        return await task(plan, partial(_read_into, session))


async def _read_into(session: aiohttp.ClientSession, take: Take) -> None:
    async with session.post("/api/chat", json=BODY) as response:
        async for line in response.content:
            take(decode(line).message.content)
