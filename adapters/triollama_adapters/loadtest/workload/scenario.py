"""What is asked, as a value."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Answers", "Prompts", "Scenario", "Workload"]


class Prompts(msgspec.Struct, frozen=True):
    """Where the words come from.

    Attributes:
        kind: ``fixed``: always `text`; ``file``: the rows of a file, in turn; ``synthetic``: made,
            so many tokens long.
        text: see `kind`.
        path: see `kind`.
        field: the field of a row with the words.
        tokens: how long synthetic prompts are; the mean, if `spread` is not 0.
        spread: standard deviation of the length, as a share of the mean.
        shared_tokens: of these, how many at the beginning are shared within a group.
        groups: how many different beginnings there are.
        images: files of pictures that go with each prompt.
    """

    kind: Literal["fixed", "file", "synthetic"] = "synthetic"
    text: str = ""
    path: str = ""
    field: str = "question"
    tokens: int = 200
    spread: float = 0.0
    shared_tokens: int = 0
    groups: int = 1
    images: tuple[str, ...] = ()


class Answers(msgspec.Struct, frozen=True):
    """How long answers are.

    Attributes:
        tokens: ``num_predict``; the mean, if `spread` is not 0; None lets the model stop by itself.
        spread: standard deviation, as a share of the mean.
    """

    tokens: int | None = None
    spread: float = 0.0


class Scenario(msgspec.Struct, frozen=True):
    """One kind of user.

    Attributes:
        name: what a report calls it.
        model: whom they ask.
        weight: their share among all, relative to the other scenarios.
        prompts: what they ask.
        answers: how long the answers are.
        turns: requests per session.
        think_s: mean pause between two turns; exponentially distributed.
        cancels: share of the requests whose user leaves before the end.
        cancel_s: when they leave, at most: evenly between 0 and this, after sending.
        system: the system message.
        tools: tool definitions.
        format: ``"json"`` or a JSON schema.
        options: of Ollama.
        think: whether the model is to think; None leaves it to the model.
    """

    name: str
    model: str
    weight: float = 1.0
    prompts: Prompts = Prompts()
    answers: Answers = Answers()
    turns: int = 1
    think_s: float = 0.0
    cancels: float = 0.0
    cancel_s: float = 5.0
    system: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    format: str | dict[str, Any] | None = None
    options: dict[str, Any] = {}
    think: bool | None = None


class Workload(msgspec.Struct, frozen=True):
    """A mix of scenarios.

    Attributes:
        scenarios: at least one.
    """

    scenarios: tuple[Scenario, ...]
