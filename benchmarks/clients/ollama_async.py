"""The official client, `ollama.AsyncClient`: asyncio, httpx, pydantic."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TextIO

import httpx
import ollama

from benchmarks.clients import asyncio_moments
from benchmarks.clients.asyncio_tasks import run_readers, take_window
from benchmarks.clients.moments import Take
from benchmarks.clients.rows import STARTED_MIN, open_folder, rows_for, write_prompts
from benchmarks.measure import Measurement, Meter, Tally
from benchmarks.plan import MODEL, PROMPT, Plan

_Reader = Callable[[ollama.AsyncClient, Tally], Coroutine[None, None, None]]
_MESSAGES = ({"role": "user", "content": PROMPT},)


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one task each, and count their chunks."""
    # Its own limit of 100 connections would leave the streams above it waiting for ever.
    limits = httpx.Limits(max_connections=plan.streams)
    return asyncio.run(_measure(plan, plan.streams, _read, limits))


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, as the client comes."""
    # The defaults of httpx, spelt out because the client passes on what it is given.
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    return asyncio.run(_measure(plan, plan.in_flight, _ask, limits))


def requests_without_reuse(plan: Plan) -> Measurement:
    """Do the same with a new connection per request.

    The pool underneath looks at every connection for every request, so that keeping none alive is
    the faster way to use it at 100 in flight. Few users would look for it; it is shown beside.
    """
    limits = httpx.Limits(max_connections=plan.in_flight, max_keepalive_connections=0)
    return asyncio.run(_measure(plan, plan.in_flight, _ask, limits))


def delays(plan: Plan) -> Measurement:
    """Hold stamped streams open and note how long after its sending each chunk is there."""
    return asyncio.run(_in_client(plan, asyncio_moments.delays))


def opening(plan: Plan) -> Measurement:
    """Open all streams at once; the window ends with the first chunk of the last one."""
    return asyncio.run(_in_client(plan, asyncio_moments.opening))


def cancelling(plan: Plan) -> Measurement:
    """Cancel all streams at once, while they flow, and look at what is left of them."""
    return asyncio.run(_in_client(plan, asyncio_moments.cancelling))


def batch(plan: Plan) -> Measurement:
    """Answer the rows of a file into another one: a loop as one writes it by hand.

    A semaphore, one task per row, a line of JSON for each answer. Nothing is kept for a restart,
    and nothing waits for the disk.
    """
    return asyncio.run(_batch(plan, None))


def batch_without_reuse(plan: Plan) -> Measurement:
    """Do the same with a new connection per row; see `requests_without_reuse`."""
    limits = httpx.Limits(max_connections=plan.in_flight, max_keepalive_connections=0)
    return asyncio.run(_batch(plan, limits))


async def _measure(plan: Plan, tasks: int, reader: _Reader, limits: httpx.Limits) -> Measurement:
    async with ollama.AsyncClient(host=plan.url, limits=limits) as client:
        return await run_readers(plan, tasks, lambda tally: reader(client, tally))


async def _read(client: ollama.AsyncClient, tally: Tally) -> None:
    is_open = False
    async for part in await client.chat(model=MODEL, messages=_MESSAGES, stream=True):
        if not is_open:
            is_open = True
            tally.open += 1
        tally.characters += len(part.message.content or "")
        tally.count += 1


async def _ask(client: ollama.AsyncClient, tally: Tally) -> None:
    tally.open += 1
    while True:
        answer = await client.chat(model=MODEL, messages=_MESSAGES)
        tally.characters += len(answer.message.content or "")
        tally.count += 1


async def _in_client(
    plan: Plan, task: Callable[[Plan, asyncio_moments.Reader], Awaitable[Measurement]]
) -> Measurement:
    limits = httpx.Limits(max_connections=plan.streams)
    async with ollama.AsyncClient(host=plan.url, limits=limits) as client:
        return await task(plan, partial(_read_into, client))


async def _read_into(client: ollama.AsyncClient, take: Take) -> None:
    async for part in await client.chat(model=MODEL, messages=_MESSAGES, stream=True):
        take(part.message.content or "")


async def _batch(plan: Plan, limits: httpx.Limits | None) -> Measurement:
    tally, meter, semaphore = Tally(), Meter(), asyncio.Semaphore(plan.in_flight)
    own = {} if limits is None else {"limits": limits}
    with open_folder() as folder:
        source, sink = folder / "prompts.jsonl", folder / "answers.jsonl"
        write_prompts(source, rows_for(plan))
        lines = source.read_text().splitlines()
        with sink.open("w") as file:
            async with (
                ollama.AsyncClient(host=plan.url, **own) as client,
                asyncio.TaskGroup() as group,
            ):
                meter.note_memory()
                rows = [
                    group.create_task(_answer(client, semaphore, line, file, tally))
                    for line in lines
                ]
                measurement = await take_window(
                    plan, meter, lambda: tally.count >= STARTED_MIN, lambda: tally.count
                )
                for row in rows:
                    row.cancel()
    return measurement


async def _answer(
    client: ollama.AsyncClient, semaphore: asyncio.Semaphore, line: str, file: TextIO, tally: Tally
) -> None:
    row = json.loads(line)
    async with semaphore:
        messages = [{"role": "user", "content": row["prompt"]}]
        answer = await client.chat(model=MODEL, messages=messages)
        file.write(json.dumps({**row, "content": answer.message.content}) + "\n")
    tally.count += 1
