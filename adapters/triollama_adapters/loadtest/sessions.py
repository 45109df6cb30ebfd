"""What one user asks: a session of one or more turns."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Session", "Turn"]


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One request.

    Attributes:
        prompt: the user's words; of an embedding the text.
        think_s: pause before it, after the answer of the turn before; 0 for the first.
        num_predict: tokens of the answer at most; None lets the model stop by itself.
        cancel_s: the user leaves this long after sending; None stays.
        images: files of pictures, base64.
    """

    prompt: str
    think_s: float = 0.0
    num_predict: int | None = None
    cancel_s: float | None = None
    images: tuple[str, ...] = ()


class Session(msgspec.Struct, frozen=True):
    """Turns that one user takes, one after the other, with what was said before them.

    Attributes:
        index: its place among all sessions of the run, from 0.
        at_ns: when its first turn is due, from the run's beginning on; None in a closed loop.
        scenario: the name of its scenario.
        model: whom it asks.
        turns: at least one.
        system: the system message; empty for none.
        tools: tool definitions, as on the wire.
        format: ``"json"`` or a JSON schema; None for text.
        options: runner and sampling options, as on the wire.
        think: whether the model is to think; None leaves it to the model.
    """

    index: int
    at_ns: int | None
    scenario: str
    model: str
    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    format: str | dict[str, Any] | None = None
    options: dict[str, Any] = {}
    think: bool | None = None
