"""What the trials with broken answers ask, what the unbroken answers are, and how they are read.

The truth does not come from the engine: a simulator is asked for it. A simulated answer depends on
its prompt and on the servers' seed and lengths alone, so all servers of a trial write the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs

from benchmarks.plan import MODEL
from triollama import Engine
from triollama_adapters.cli._readers import Reader, compare, follow
from triollama_adapters.simulator import SimulatorConfig, unbroken_answer


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

    def unbroken(self, author: SimulatorConfig) -> str:
        """Return the text that a server answers when nothing goes wrong."""
        messages = [{"role": "user", "content": self.text}]
        asked = {"messages": messages} if self.route == "chat" else {"prompt": self.text}
        body = json.dumps({"model": MODEL, **asked, **self.fields, "stream": False}).encode()
        told = unbroken_answer(author, f"/api/{self.route}", body)
        text: str = told["message"]["content"] if self.route == "chat" else told["response"]
        return text


def readers_of(asks: Sequence[Ask], author: SimulatorConfig) -> list[Reader]:
    """Return a reader for each question, who knows the unbroken answer."""
    return [Reader(ask.text, ask.unbroken(author)) for ask in asks]


async def read(engine: Engine, ask: Ask, reader: Reader) -> None:
    """Read one answer to its end, good or bad."""
    make: Any = engine.stream_chat if ask.route == "chat" else engine.stream_generate
    await follow(reader, make(MODEL, ask.text, **ask.fields))


def missing(readers: Sequence[Reader]) -> dict[str, float]:
    """Return what readers noticed: characters lost, doubled, and streams that failed."""
    found = compare(readers)
    return {
        "lost": float(found.lost),
        "doubled": float(found.doubled),
        "failed": float(found.streams - found.whole),
        "characters": float(found.characters),
    }
