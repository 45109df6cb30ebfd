"""What the trials with broken answers ask, what the unbroken answers are, and how they are read.

The truth does not come from the engine: a plain httpx client asks a simulator in memory for whole
documents, in virtual time. A simulated answer depends on its prompt and on the servers' seed and
lengths alone, so all servers of a trial would write the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import httpx
import trio
from trio.testing import MockClock

from benchmarks.plan import MODEL
from triollama import Engine, TriollamaError
from triollama_adapters.cli._readers import Reader, compare
from triollama_adapters.simulator import SimulatorConfig, open_fleet

_URL = "http://truth:11434"

_AT_ONCE = 100
"""Answers that are asked for at the same time; each is one connection."""


@attrs.frozen
class Ask:
    """One question.

    Attributes:
        text: The question, different from all others.
        route: ``chat`` or ``generate``.
        fields: Other fields of the request.
    """

    text: str
    route: str = "chat"
    fields: dict[str, Any] = attrs.field(factory=dict)

    def body(self) -> dict[str, Any]:
        """Return the request for a whole answer, as Ollama takes it."""
        messages = [{"role": "user", "content": self.text}]
        asked = {"messages": messages} if self.route == "chat" else {"prompt": self.text}
        return {"model": MODEL, **asked, **self.fields, "stream": False}


def readers_of(asks: Sequence[Ask], author: SimulatorConfig) -> list[Reader]:
    """Return a reader for each question, who knows the unbroken answer."""
    clock = MockClock(autojump_threshold=0)
    wholes: list[str] = trio.run(_answers, asks, author, clock=clock)
    return [Reader(ask.text, whole) for ask, whole in zip(asks, wholes, strict=True)]


async def read(engine: Engine, ask: Ask, reader: Reader) -> None:
    """Read one answer to its end, good or bad."""
    make: Any = engine.stream_chat if ask.route == "chat" else engine.stream_generate
    try:
        async with make(MODEL, ask.text, **ask.fields) as stream:
            reader.stream = stream
            async for chunk in stream:
                reader.take(chunk.content, trio.current_time())
    except TriollamaError as error:
        reader.error = f"{type(error).__name__}: {error}"
    else:
        reader.is_whole = True


def missing(readers: Sequence[Reader]) -> dict[str, float]:
    """Return what readers noticed: characters lost, doubled, and streams that failed."""
    found = compare(readers)
    return {
        "lost": float(found.lost),
        "doubled": float(found.doubled),
        "failed": float(found.streams - found.whole),
        "characters": float(found.characters),
    }


async def _answers(asks: Sequence[Ask], author: SimulatorConfig) -> list[str]:
    wholes = [""] * len(asks)
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def fetch(place: int, ask: Ask) -> None:
        async with limiter:
            response = await client.post(f"{_URL}/api/{ask.route}", json=ask.body())
        told = response.raise_for_status().json()
        wholes[place] = told["message"]["content"] if ask.route == "chat" else told["response"]

    quick = attrs.evolve(author, faults=(), num_parallel=_AT_ONCE)
    async with (
        open_fleet({_URL: quick}) as fleet,
        httpx.AsyncClient(transport=fleet.transport(), timeout=None) as client,
        trio.open_nursery() as nursery,
    ):
        for place, ask in enumerate(asks):
            nursery.start_soon(fetch, place, ask)
    return wholes
