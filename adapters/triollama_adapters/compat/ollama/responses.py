"""What comes back, as the official client has it. Durations are in nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from .fields import ByteSize, Fields
from .messages import Message

__all__ = [
    "ChatResponse",
    "EmbedResponse",
    "EmbeddingsResponse",
    "GenerateResponse",
    "ListResponse",
    "Logprob",
    "ModelDetails",
    "ProcessResponse",
    "ProgressResponse",
    "ShowResponse",
    "StatusResponse",
    "TokenLogprob",
    "WebFetchResponse",
    "WebSearchResponse",
    "WebSearchResult",
]


class TokenLogprob(Fields):
    """How likely a token was."""

    token: str
    logprob: float


class Logprob(TokenLogprob):
    """The same, with what else was likely in its place."""

    top_logprobs: Sequence[TokenLogprob] | None = None


class BaseGenerateResponse(Fields):
    """What answers of models have in common."""

    model: str | None = None
    created_at: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class GenerateResponse(BaseGenerateResponse):
    """A completion, or a part of one."""

    response: str | None = None
    thinking: str | None = None
    context: Sequence[int] | None = None
    logprobs: Sequence[Logprob] | None = None
    image: str | None = None
    completed: int | None = None
    total: int | None = None


class ChatResponse(BaseGenerateResponse):
    """An answer of a chat, or a part of one."""

    message: Message
    logprobs: Sequence[Logprob] | None = None


class EmbedResponse(BaseGenerateResponse):
    """One vector per text."""

    embeddings: Sequence[Sequence[float]]


class EmbeddingsResponse(Fields):
    """The vector of one text, by the older route."""

    embedding: Sequence[float]


class ModelDetails(Fields):
    """What kind of model it is."""

    parent_model: str | None = None
    format: str | None = None
    family: str | None = None
    families: Sequence[str] | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None


class ListResponse(Fields):
    """The models that a server has."""

    class Model(Fields):
        """One of them."""

        model: str | None = None
        modified_at: datetime | None = None
        digest: str | None = None
        size: ByteSize | None = None
        details: ModelDetails | None = None

    models: Sequence[Model]


class StatusResponse(Fields):
    """How something went: ``success``."""

    status: str | None = None


class ProgressResponse(StatusResponse):
    """A step of a pull, a push or a create."""

    completed: int | None = None
    total: int | None = None
    digest: str | None = None


class ShowResponse(Fields):
    """All that a server tells about a model."""

    wire_names: ClassVar[Mapping[str, str]] = {"modelinfo": "model_info"}

    modified_at: datetime | None = None
    template: str | None = None
    modelfile: str | None = None
    license: str | None = None
    details: ModelDetails | None = None
    modelinfo: Mapping[str, Any] | None
    parameters: str | None = None
    capabilities: Sequence[str] | None = None


class ProcessResponse(Fields):
    """The models that a server has loaded."""

    class Model(Fields):
        """One of them."""

        model: str | None = None
        name: str | None = None
        digest: str | None = None
        expires_at: datetime | None = None
        size: ByteSize | None = None
        size_vram: ByteSize | None = None
        details: ModelDetails | None = None
        context_length: int | None = None

    models: Sequence[Model]


class WebSearchResult(Fields):
    """One page that was found."""

    content: str | None = None
    title: str | None = None
    url: str | None = None


class WebSearchResponse(Fields):
    """The pages that were found."""

    results: Sequence[WebSearchResult]


class WebFetchResponse(Fields):
    """A page of the web."""

    title: str | None = None
    content: str | None = None
    links: Sequence[str] | None = None
