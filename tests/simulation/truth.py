"""The unbroken answers: what a healthy server says, asked directly.

Every server of a scenario writes the same, so this is what each reader must have, to the character.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
from tests.simulation.asks import Ask

from triollama.api import ChatRequest, EmbedRequest, GenerateRequest
from triollama_adapters.simulator import SimulatorConfig, unbroken_answer

__all__ = ["Truth", "Whole"]


@attrs.frozen
class Whole:
    """One unbroken answer.

    Attributes:
        content: its text.
        thinking: its thinking.
        calls: its tool calls, as JSON, in order.
        done_reason: why it ended.
        output_tokens: how many tokens it has.
        embeddings: of an embed.
    """

    content: str = ""
    thinking: str = ""
    calls: tuple[str, ...] = ()
    done_reason: str = ""
    output_tokens: int = 0
    embeddings: tuple[tuple[float, ...], ...] = ()


class Truth:
    """Answers requests as any server of a fleet would, were it healthy.

    Args:
        config: one of the fleet's with all models.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self._config = config
        self._known: dict[int, Whole] = {}

    def of(self, ask: Ask) -> Whole:
        """The unbroken answer to a request; it is worked out once."""
        if ask.number not in self._known:
            answer = unbroken_answer(self._config, *_encoded(ask))
            self._known[ask.number] = _read(answer, ask.route)
        return self._known[ask.number]


def _encoded(ask: Ask) -> tuple[str, bytes]:
    """Path and body of a request for an answer in one piece."""
    if ask.route == "embed":
        embed = EmbedRequest(model=ask.model, input=ask.asked, **ask.fields)
        return embed.path, embed.body()
    kind = ChatRequest if ask.route == "chat" else GenerateRequest
    request = kind.make(ask.model, ask.asked, **ask.fields)
    return request.path, request.body(stream=False)


def _read(answer: dict[str, Any], route: str) -> Whole:
    if route == "embed":
        return Whole(embeddings=tuple(tuple(vector) for vector in answer["embeddings"]))
    said = answer["message"] if route == "chat" else answer
    return Whole(
        content=said["content" if route == "chat" else "response"],
        thinking=said.get("thinking", ""),
        calls=tuple(
            call_text(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in said.get("tool_calls", ())
        ),
        done_reason=answer["done_reason"],
        output_tokens=answer["eval_count"],
    )


def call_text(number: str, name: str, arguments: dict[str, Any]) -> str:
    """One tool call as text, for comparison."""
    return json.dumps([number, name, arguments], ensure_ascii=False)
