"""What is asked of all rows alike, and the formats that a row may have. No IO."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import attrs

from triollama_adapters.batch.fields import Fields, UnusableError
from triollama_adapters.batch.input.template import Template
from triollama_adapters.batch.rows import Kind

__all__ = ["ANY_MODEL", "MODEL_FIELD", "PROMPT_FIELDS", "Format", "Plan", "format_of"]


class Format(Enum):
    """What the rows of an input are; all of them the same."""

    PLAIN = "plain"
    """Objects with any fields, from which a template makes the prompt."""

    CSV = "csv"
    """The same as a table, whose first line names the fields."""

    OPENAI = "openai"
    """Lines of OpenAI's batch format: custom_id, method, url, body."""

    OLLAMA = "ollama"
    """Bodies of Ollama's own API: model, and messages, prompt or input."""

    @property
    def told(self) -> str:
        """A row of it, in words."""
        return _TOLD[self]


_TOLD = {
    Format.PLAIN: "a plain record",
    Format.CSV: "a line of CSV",
    Format.OPENAI: "a line of OpenAI's batch format",
    Format.OLLAMA: "a body of Ollama's API",
}

ANY_MODEL: Final = "*"
"""Stands for each model that rows name."""

MODEL_FIELD: Final = "model"
"""The field in which a plain record names its model."""

PROMPT_FIELDS = ("prompt", "question", "text")
"""The fields that are asked if none was named, the first that the first record has."""


@attrs.frozen(kw_only=True)
class Plan:
    """What is the same for every row. What a row says itself goes before it.

    Attributes:
        model: for rows that name none.
        models: other names for the models that rows name, such as OpenAI's for yours; that of
            ``*`` is for all that have no other.
        template: what plain records ask; None: one of `PROMPT_FIELDS`.
        system: the system message of plain records; None for none.
        kind: which method of the engine plain records call.
        options: Ollama's options; None leaves them to the server.
        think: whether the model is to think; None leaves it to the model.
        answer_format: ``"json"``, or a JSON schema that answers follow; None for free text.
        keep_alive: how long the model stays loaded; None leaves it to the server.
    """

    model: str | None = None
    models: Mapping[str, str] = attrs.field(factory=dict)
    template: Template | None = None
    system: str | None = attrs.field(default=None, repr=False)
    kind: Kind = "chat"
    options: Mapping[str, Any] | None = None
    think: bool | str | None = None
    answer_format: str | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    keep_alive: float | str | None = None

    def model_for(self, named: object) -> str:
        """The model of a row.

        Args:
            named: what the row says; None if nothing.

        Raises:
            UnusableError: nobody says it, or it is no text.
        """
        if named is None:
            named = self.model if self.model is not None else self.models.get(ANY_MODEL)
        if not isinstance(named, str) or not named.strip():
            raise UnusableError("ModelMissing", "names no model; give one for all with --model")
        return self.models.get(named, self.models.get(ANY_MODEL, named))

    def shared(self, kind: Kind) -> dict[str, Any]:
        """The keyword arguments that this plan gives to a request of that kind."""
        given: dict[str, Any] = {"options": self.options, "keep_alive": self.keep_alive}
        if kind != "embed":
            given |= {"think": self.think, "format": self.answer_format}
        return {name: value for name, value in given.items() if value is not None}


def format_of(fields: Fields) -> Format:
    """What a record looks like, when nobody said what it is.

    A ``prompt`` alone is a plain record's; with a ``model`` beside it, a body's of Ollama.
    """
    if "body" in fields and ("custom_id" in fields or "url" in fields):
        return Format.OPENAI
    if "messages" in fields or ("model" in fields and ("prompt" in fields or "input" in fields)):
        return Format.OLLAMA
    return Format.PLAIN
