"""The official OpenAI client, `openai.AsyncOpenAI`, against ``/v1/chat/completions``.

Chosen for speed: its transport on aiohttp, which its documentation recommends for many requests at
once (here, a chunk takes 0.12 ms with it and 0.17 ms without, a request 0.9 ms and 1.4 ms), all
connections kept alive, no timeouts, no retries. The limit on connections is a number, since that
transport takes "no limit" for aiohttp's own 100.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import httpx2
import openai
from openai.types.chat import ChatCompletionMessageParam

from benchmarks.clients.asyncio_tasks import run_readers
from benchmarks.measure import Measurement, Tally
from benchmarks.plan import MODEL, PROMPT, Plan

_Reader = Callable[[openai.AsyncOpenAI, Tally], Coroutine[None, None, None]]
_MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": PROMPT}]


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one task each, and count their chunks."""
    return asyncio.run(_measure(plan, plan.streams, _read))


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, and count the answers."""
    return asyncio.run(_measure(plan, plan.in_flight, _ask))


async def _measure(plan: Plan, tasks: int, reader: _Reader) -> Measurement:
    limits = httpx2.Limits(max_connections=tasks, max_keepalive_connections=tasks)
    async with openai.AsyncOpenAI(
        base_url=f"{plan.url}/v1",
        api_key="unused",
        timeout=None,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(limits=limits, timeout=None),
    ) as client:
        return await run_readers(plan, tasks, lambda tally: reader(client, tally))


async def _read(client: openai.AsyncOpenAI, tally: Tally) -> None:
    stream = await client.chat.completions.create(model=MODEL, messages=_MESSAGES, stream=True)
    tally.open += 1
    async for part in stream:
        if part.choices:
            tally.characters += len(part.choices[0].delta.content or "")
        tally.count += 1


async def _ask(client: openai.AsyncOpenAI, tally: Tally) -> None:
    tally.open += 1
    while True:
        answer = await client.chat.completions.create(model=MODEL, messages=_MESSAGES)
        tally.characters += len(answer.choices[0].message.content or "")
        tally.count += 1
