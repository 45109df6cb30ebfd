"""A row as the schedule sees it. No IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs

from triollama.api import name_key
from triollama_adapters.batch.rows import Ask, Row

__all__ = ["PREFIX_CHARACTERS", "Item", "item_of", "model_key"]

PREFIX_CHARACTERS: Final = 256
"""Rows whose prompts begin alike for so long are asked one after the other: a server that has read
a beginning does not read it again."""

model_key: Final = lru_cache(maxsize=1_024)(name_key)
"""A model's normalised name, by which the engine knows it too."""


@attrs.define(eq=False)
class Item:
    """A row that waits to be asked, or is asked.

    Attributes:
        place: its place among the rows that are asked.
        row: the row.
        model: the model's normalised name.
        size: what it takes in the input, in bytes.
        limit: how many tokens its answer may have; None for no limit.
        prefix: the same for rows whose prompts begin alike.
        turn: when it would be asked in the order of the input; set by the schedule.
        is_taken: whether it waits no more; set by the schedule.
    """

    place: int
    row: Row
    model: str
    size: int
    limit: int | None = None
    prefix: int = 0
    turn: int = 0
    is_taken: bool = False


def item_of(place: int, row: Row) -> Item:
    """A row that can be asked, for the schedule."""
    assert row.ask is not None
    key, limit, prefix = model_key(row.ask.model), _limit_of(row.ask), _prefix_of(row.ask)
    return Item(place, row, key, row.size_bytes, limit, prefix)


def _limit_of(ask: Ask) -> int | None:
    options = ask.arguments.get("options")
    limit = options.get("num_predict") if isinstance(options, Mapping) else None
    return limit if isinstance(limit, int) and limit > 0 else None


def _prefix_of(ask: Ask) -> int:
    """How its prompt begins: by the system message, or else by the first characters."""
    arguments = ask.arguments
    if ask.kind == "embed":
        return 0
    system, prompt = arguments.get("system"), arguments.get("prompt")
    messages = arguments.get("messages")
    if isinstance(messages, str):
        prompt = messages
    elif isinstance(messages, Sequence) and messages:
        first: Any = messages[0]
        content = first.get("content") if isinstance(first, Mapping) else None
        if isinstance(first, Mapping) and first.get("role") == "system":
            system = content
        else:
            prompt = content
    if isinstance(system, str) and system:
        return hash(system)
    return hash(prompt[:PREFIX_CHARACTERS]) if isinstance(prompt, str) else 0
