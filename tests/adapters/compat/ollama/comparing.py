"""What is compared of two answers."""

from __future__ import annotations

from typing import Any

CLOCKED = frozenset(
    {"created_at", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"}
    | {"modified_at", "expires_at"}
)
"""What is never twice the same."""


def normal(value: Any) -> Any:
    """The same without times; that there are some is kept."""
    if isinstance(value, dict):
        return {
            name: "some" if name in CLOCKED and each is not None else normal(each)
            for name, each in value.items()
        }
    return [normal(each) for each in value] if isinstance(value, list | tuple) else value


def stages(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Progress without how often it was told: the last word on each layer."""
    last = {(part["status"], part["digest"]): part for part in parts}
    return list(last.values())
