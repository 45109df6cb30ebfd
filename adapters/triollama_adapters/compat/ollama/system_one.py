"""System One's questions and answers, as the official client has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .fields import Fields

__all__ = [
    "SystemOneAnswer",
    "SystemOneChoiceAnswer",
    "SystemOneChoiceQuestion",
    "SystemOneContent",
    "SystemOneNoulAnswer",
    "SystemOneNoulQuestion",
    "SystemOneQuestion",
    "SystemOneRequest",
    "SystemOneResponse",
    "SystemOneScoreAnswer",
    "SystemOneScoreQuestion",
    "SystemOneUsage",
]

SystemOneContent = str | dict[str, Any] | list[Any]
"""A text, or JSON that the model sees as text."""


class SystemOneChoiceQuestion(Fields):
    """Which of several it is; a description of None is the key itself."""

    type: Literal["choice"] = "choice"
    instructions: SystemOneContent
    criteria: Mapping[str, str | None]


class SystemOneNoulQuestion(Fields):
    """Whether it is so, with a probability."""

    type: Literal["noul"] = "noul"
    instructions: SystemOneContent
    criteria: Mapping[str, str] | None = None


class SystemOneScoreQuestion(Fields):
    """How much it is so; descriptions from the lowest to the highest."""

    type: Literal["score"] = "score"
    instructions: SystemOneContent
    criteria: Sequence[str]


SystemOneQuestion = SystemOneChoiceQuestion | SystemOneNoulQuestion | SystemOneScoreQuestion


class SystemOneRequest(Fields):
    """A state, and what is asked about it."""

    model: str
    state: SystemOneContent
    questions: Mapping[str, SystemOneQuestion]
    keep_alive: float | str | None = None


class SystemOneNoulAnswer(Fields):
    """The probability that it is so."""

    type: Literal["noul"]
    noul: float


class SystemOneChoiceAnswer(Fields):
    """The likeliest choice."""

    type: Literal["choice"]
    choice: str
    probabilities: Mapping[str, float]
    confidence: float


class SystemOneScoreAnswer(Fields):
    """The expected score, counted from zero."""

    type: Literal["score"]
    score: float
    legend: Mapping[str, str]
    probabilities: Mapping[str, float]
    confidence: float


SystemOneAnswer = SystemOneNoulAnswer | SystemOneChoiceAnswer | SystemOneScoreAnswer


class SystemOneUsage(Fields):
    """Tokens that were read and written."""

    input_tokens: int
    output_tokens: int


class SystemOneResponse(Fields):
    """One answer per question."""

    model: str
    answers: Mapping[str, SystemOneAnswer]
    usage: SystemOneUsage
