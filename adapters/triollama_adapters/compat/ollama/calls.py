"""The arguments of each call as the engine's. Pure, but that the files of images are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from .asked import (
    ImageGiven,
    MessageGiven,
    OptionsGiven,
    ToolGiven,
    given,
    images_of,
    messages_of,
    model_of,
    options_of,
    tools_of,
)
from .system_one import SystemOneContent, SystemOneQuestion, SystemOneRequest

__all__ = [
    "ChatFields",
    "CreateFields",
    "GenerateFields",
    "chat_fields",
    "create_fields",
    "embed_fields",
    "embeddings_fields",
    "generate_fields",
    "move_fields",
    "systemone_fields",
]


class _AnswerFields(TypedDict, total=False):
    think: bool | str | None
    logprobs: bool | None
    top_logprobs: int | None
    format: str | Mapping[str, Any] | None
    options: OptionsGiven | None
    keep_alive: float | str | None


class ChatFields(_AnswerFields, total=False):
    """The optional arguments of a chat."""

    tools: Sequence[ToolGiven] | None


class GenerateFields(_AnswerFields, total=False):
    """The optional arguments of a completion."""

    system: str | None
    template: str | None
    context: Sequence[int] | None
    raw: bool | None
    images: Sequence[ImageGiven] | None
    width: int | None
    height: int | None
    steps: int | None


def chat_fields(
    model: str, messages: Sequence[MessageGiven] | None, fields: ChatFields
) -> dict[str, Any]:
    """A chat."""
    asked = {
        **fields,
        "tools": tools_of(fields.get("tools")),
        "options": options_of(fields.get("options")),
        "format": _format(fields.get("format")),
    }
    return {"model": model_of(model), "messages": messages_of(messages), **given(**asked)}


def generate_fields(
    model: str, prompt: str | None, suffix: str | None, fields: GenerateFields
) -> dict[str, Any]:
    """A completion. What was for models that draw is left out: Ollama ignores it since 0.32.6."""
    drawing = {"width", "height", "steps"}
    asked = {name: value for name, value in fields.items() if name not in drawing}
    asked |= {
        "suffix": suffix,
        "images": images_of(fields.get("images")),
        "options": options_of(fields.get("options")),
        "format": _format(fields.get("format")),
    }
    return {"model": model_of(model), "prompt": prompt, **given(**asked)}


def embed_fields(model: str, texts: str | Sequence[str], **fields: Any) -> dict[str, Any]:
    """Texts to be made vectors of."""
    fields["options"] = options_of(fields["options"])
    return {"model": model_of(model), "input": texts, **given(**fields)}


def embeddings_fields(model: str, prompt: str | None, **fields: Any) -> dict[str, Any]:
    """A text to be made a vector of."""
    fields["options"] = options_of(fields["options"])
    return {"model": model_of(model), "prompt": prompt, **given(**fields)}


def move_fields(model: str, *, insecure: bool) -> dict[str, Any]:
    """A pull or a push."""
    return {"model": model_of(model), "insecure": insecure}


class CreateFields(TypedDict, total=False):
    """The optional arguments of a create."""

    quantize: str | None
    from_: str | None
    files: Mapping[str, str] | None
    adapters: Mapping[str, str] | None
    template: str | None
    license: str | Sequence[str] | None
    system: str | None
    parameters: OptionsGiven | None
    messages: Sequence[MessageGiven] | None


def create_fields(model: str, fields: CreateFields) -> dict[str, Any]:
    """A model to be made."""
    messages = fields.get("messages")
    asked = {
        **fields,
        "parameters": options_of(fields.get("parameters")),
        "messages": None if messages is None else messages_of(messages),
    }
    return {"model": model_of(model), **given(**asked)}


def systemone_fields(
    model: str,
    state: SystemOneContent,
    questions: Mapping[str, SystemOneQuestion | Mapping[str, Any]],
    keep_alive: float | str | None,
) -> dict[str, Any]:
    """Questions to be scored, as they are sent."""
    fields = {"model": model, "state": state, "questions": questions, "keep_alive": keep_alive}
    dumped: dict[str, Any] = SystemOneRequest.model_validate(fields).model_dump(exclude_none=True)
    return dumped


def _format(form: Any) -> Any:
    """A schema as a mapping; pydantic's classes give theirs by a method."""
    schema = getattr(form, "model_json_schema", None)
    return schema() if callable(schema) else form
