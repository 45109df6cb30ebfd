"""LangChain's `ChatOllama`: the official client with LangChain's messages and callbacks on top.

Chosen for speed: no limit on connections, since httpx's own 100 would leave the streams above it
waiting for ever; no timeouts; no tracing; no connections kept alive, see `httpx_tasks`. It has no
way to count an answer's chunks while it gathers the answer, so there is no ``collect``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine

import httpx

os.environ["LANGSMITH_TRACING"] = "false"  # read when the package is imported

from langchain_ollama import ChatOllama

from benchmarks.clients.asyncio_tasks import run_readers
from benchmarks.measure import Measurement, Tally
from benchmarks.plan import MODEL, PROMPT, Plan

_Reader = Callable[[ChatOllama, Tally], Coroutine[None, None, None]]


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one task each, and count their chunks."""
    return asyncio.run(_measure(plan, plan.streams, _read))


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, and count the answers."""
    return asyncio.run(_measure(plan, plan.in_flight, _ask))


async def _measure(plan: Plan, tasks: int, reader: _Reader) -> Measurement:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    settings = {"limits": limits, "timeout": None}
    model = ChatOllama(model=MODEL, base_url=plan.url, async_client_kwargs=settings)
    return await run_readers(plan, tasks, lambda tally: reader(model, tally))


async def _read(model: ChatOllama, tally: Tally) -> None:
    is_open = False
    async for part in model.astream(PROMPT):
        if not is_open:
            is_open = True
            tally.open += 1
        tally.characters += len(part.text)
        tally.count += 1


async def _ask(model: ChatOllama, tally: Tally) -> None:
    tally.open += 1
    while True:
        answer = await model.ainvoke(PROMPT)
        tally.characters += len(answer.text)
        tally.count += 1
