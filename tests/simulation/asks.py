"""The requests of a scenario: what is asked, and how the answer is read.

Owns the menu of both. What is asked decides how a broken answer can go on; how it is read decides
what the reader must have in the end.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Any

import attrs

TEXT_MODEL, THINKING_MODEL, EMBEDDING_MODEL = "llama3.2", "qwen3:0.6b", "nomic-embed-text"

WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "maximum": 9}},
    "required": ["name", "age"],
}
REPEATABLE: dict[str, Any] = {"seed": 7, "temperature": 0}
"""Options with which the same request gives the same answer on every server."""


class Reading(enum.Enum):
    """How an answer is read."""

    EACH = "chunk by chunk"
    SLOWLY = "chunk by chunk, with a rest after each"
    PAUSED = "with a pause in the middle"
    COLLECTED = "a few chunks, then the whole"
    WHOLE = "the whole, without a stream"
    CANCELLED = "until it is cancelled"
    LEFT = "until the block is left"


@attrs.frozen(kw_only=True)
class Ask:
    """One request.

    Attributes:
        number: unique in the scenario, from 1; it is in the prompt.
        at_s: when it is made, in seconds from the beginning.
        route: ``chat``, ``generate`` or ``embed``.
        model: which.
        asked: the messages, the prompt, or the text to embed.
        fields: the other fields of the request.
        reading: how the answer is read.
        rest_s: how long the reader rests where it does, in seconds.
        chunks: after how many chunks the reader pauses, cancels, leaves or collects.
        on_break: see `Engine.stream_chat`.
        deadline_s: see `Engine.stream_chat`.
        patience_s: after so long the caller cancels the request from outside; None is never.
        priority: see `Engine.stream_chat`.
        caller: see `Engine.stream_chat`.
    """

    number: int
    at_s: float
    route: str
    model: str
    asked: Any
    fields: dict[str, Any]
    reading: Reading
    rest_s: float
    chunks: int
    on_break: str
    deadline_s: float | None
    patience_s: float | None
    priority: int
    caller: str

    @property
    def is_repeatable(self) -> bool:
        """Whether the request itself makes every server give the same answer."""
        return (self.fields.get("options") or {}).items() >= REPEATABLE.items()

    @property
    def thinks(self) -> bool:
        """Whether the answer begins with thinking."""
        return self.model == THINKING_MODEL and self.fields.get("think") is not False


Made = tuple[str, str, Any, dict[str, Any]]
"""Route, model, what is asked, other fields."""


def _chat(rng: random.Random, text: str) -> Made:
    return "chat", TEXT_MODEL, text, {}


def _history(rng: random.Random, text: str) -> Made:
    messages = [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": text},
    ]
    return "chat", TEXT_MODEL, messages, {}


def _begun(rng: random.Random, text: str) -> Made:
    messages = [
        {"role": "user", "content": text},
        {"role": "assistant", "content": "The answer is"},
    ]
    return "chat", TEXT_MODEL, messages, {}


def _thinking(rng: random.Random, text: str) -> Made:
    return "chat", THINKING_MODEL, text, rng.choice([{}, {"think": True}, {"think": False}])


def _calls(rng: random.Random, text: str) -> Made:
    asked = f"use get_weather for {text}"
    return "chat", rng.choice([TEXT_MODEL, THINKING_MODEL]), asked, {"tools": [WEATHER_TOOL]}


def _tools_unused(rng: random.Random, text: str) -> Made:
    return "chat", TEXT_MODEL, text, {"tools": [WEATHER_TOOL]}


def _formatted(rng: random.Random, text: str) -> Made:
    return "chat", TEXT_MODEL, text, {"format": rng.choice(["json", SCHEMA])}


def _generate(rng: random.Random, text: str) -> Made:
    return "generate", TEXT_MODEL, text, rng.choice([{}, {}, {"system": "Be brief."}])


def _raw(rng: random.Random, text: str) -> Made:
    return "generate", TEXT_MODEL, text, {"raw": True}


def _thinking_generate(rng: random.Random, text: str) -> Made:
    return "generate", THINKING_MODEL, text, rng.choice([{}, {"think": False}])


def _embed(rng: random.Random, text: str) -> Made:
    return "embed", EMBEDDING_MODEL, text, {"dimensions": 4}


_MENU: list[tuple[Callable[[random.Random, str], Made], int]] = [
    (_chat, 6),
    (_history, 2),
    (_begun, 2),
    (_thinking, 4),
    (_calls, 2),
    (_tools_unused, 1),
    (_formatted, 2),
    (_generate, 4),
    (_raw, 2),
    (_thinking_generate, 1),
    (_embed, 3),
]
_MAKERS = [make for make, _ in _MENU]
_WEIGHTS = [weight for _, weight in _MENU]

WAITS_S = (0.1, 0.5, 1.0, 2.0, 8.0)
"""Deadlines and patience, in seconds; few values, so that some give up at the same moment."""

_READINGS = [Reading.EACH] * 4 + [Reading.WHOLE] * 2 + list(Reading)


def draw_ask(rng: random.Random, number: int, at_s: float, *, herd_s: float | None = None) -> Ask:
    """Draw one request.

    Args:
        rng: where from.
        number: its number.
        at_s: its time.
        herd_s: the patience of most, if there is a herd: many leave the line, and many places in
            flight, in one turn of the loop.
    """
    make = rng.choices(_MAKERS, _WEIGHTS)[0]
    route, model, asked, fields = make(rng, f"question {number} about 🌍?")
    options = dict(REPEATABLE) if rng.random() < 0.3 else {}
    # A limit counts the token between thinking and text, too, which no chunk shows: where such an
    # answer broke, the rest may be one token longer, and nobody can know better.
    if rng.random() < 0.2 and route != "embed" and model != THINKING_MODEL:
        options["num_predict"] = rng.choice([1, 5, 50])
    if options:
        fields = fields | {"options": options}
    return Ask(
        number=number,
        at_s=at_s,
        route=route,
        model=model,
        asked=asked,
        fields=fields,
        reading=Reading.WHOLE if route == "embed" else rng.choice(_READINGS),
        rest_s=rng.choice([0.01, 0.05, 0.1]),
        chunks=rng.randint(0, 12),
        on_break=rng.choices(["continue", "restart", "raise"], [8, 1, 1])[0],
        deadline_s=rng.choice(WAITS_S) if rng.random() < 0.1 else None,
        patience_s=_patience_s(rng, herd_s),
        priority=rng.choice([0, 0, 0, -5, 5]),
        caller=rng.choice(["", "ann", "bob"]),
    )


def _patience_s(rng: random.Random, herd_s: float | None) -> float | None:
    if herd_s is not None and rng.random() < 0.7:
        return herd_s
    return rng.choice([0.0, *WAITS_S]) if rng.random() < 0.1 else None
