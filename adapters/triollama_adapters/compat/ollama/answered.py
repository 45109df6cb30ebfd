"""What the engine gives, as the official client's answers. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

import triollama as engine

from . import responses as r

__all__ = [
    "chat_part",
    "chat_whole",
    "embed_whole",
    "embeddings_whole",
    "found",
    "generate_part",
    "generate_whole",
    "listed",
    "progress",
    "running",
    "shown",
]


def chat_part(chunk: engine.ChatChunk) -> r.ChatResponse:
    """One event of a chat."""
    fields = msgspec.json.decode(chunk.line)
    return r.ChatResponse.model_validate({**fields, "message": _message(chunk.message)})


def chat_whole(answer: engine.ChatResponse) -> r.ChatResponse:
    """A whole answer of a chat."""
    return r.ChatResponse.model_validate({**_last(answer), "message": _message(answer.message)})


def generate_part(chunk: engine.GenerateChunk) -> r.GenerateResponse:
    """One event of a completion."""
    fields = msgspec.json.decode(chunk.line)
    texts = {"response": chunk.content, "thinking": chunk.thinking or None}
    return r.GenerateResponse(**_set({**fields, **texts}))


def generate_whole(answer: engine.GenerateResponse) -> r.GenerateResponse:
    """A whole completion."""
    texts = {"response": answer.content, "thinking": answer.thinking or None}
    context = None if answer.context is None else list(answer.context)
    return r.GenerateResponse(**_set({**_last(answer), **texts, "context": context}))


def embed_whole(answer: engine.EmbedResponse) -> r.EmbedResponse:
    """The vectors of texts."""
    figures = ("total_duration", "load_duration", "prompt_eval_count")
    fields = {name: getattr(answer, name) or None for name in figures}
    vectors = [list(vector) for vector in answer.embeddings]
    return r.EmbedResponse(**_set({"model": answer.model, **fields}), embeddings=vectors)


def embeddings_whole(answer: engine.EmbeddingsResponse) -> r.EmbeddingsResponse:
    """The vector of a text."""
    return r.EmbeddingsResponse(embedding=list(answer.embedding))


def listed(answer: engine.TagsResponse) -> r.ListResponse:
    """The models of a server."""
    names = ("model", "digest", "size")
    models = [_model(each, names, modified_at=each.modified_at) for each in answer.models]
    return r.ListResponse.model_validate({"models": models})


def running(answer: engine.PsResponse) -> r.ProcessResponse:
    """The models that are loaded."""
    names = ("model", "name", "digest", "size", "size_vram", "context_length")
    models = [_model(each, names, expires_at=each.expires_at) for each in answer.models]
    return r.ProcessResponse.model_validate({"models": models})


def shown(answer: engine.ShowResponse) -> r.ShowResponse:
    """All about a model."""
    names = ("template", "modelfile", "license", "parameters", "model_info")
    fields = {name: getattr(answer, name) for name in names}
    fields["modified_at"] = answer.modified_at or None
    fields["capabilities"] = list(answer.capabilities) or None
    return r.ShowResponse.model_validate({**_set(fields), "details": _details(answer.details)})


def progress(event: engine.TransferEvent) -> r.ProgressResponse:
    """One step of a transfer."""
    figures = {"total": event.total, "completed": event.completed or None}
    return r.ProgressResponse(
        status=event.status, **_set({"digest": event.digest or None, **figures})
    )


def _last(answer: Any) -> dict[str, Any]:
    """The fields of the last event, with the figures and logprobs of all."""
    fields: dict[str, Any] = msgspec.json.decode(answer.line) if answer.line else {}
    usage = answer.usage
    figures = {
        "total_duration": usage.total_ns,
        "load_duration": usage.load_ns,
        "prompt_eval_count": usage.prompt_tokens,
        "prompt_eval_duration": usage.prefill_ns,
        "eval_count": usage.output_tokens,
        "eval_duration": usage.decode_ns,
    }
    fields.update({name: figure for name, figure in figures.items() if figure})
    logprobs = [msgspec.to_builtins(each) for each in answer.logprobs]
    fields.pop("message", None)
    fields.pop("logprobs", None)
    return fields | ({"logprobs": [_logprob(each) for each in logprobs]} if logprobs else {})


def _logprob(fields: dict[str, Any]) -> dict[str, Any]:
    """As it is on the wire: without what is empty."""
    return {name: value for name, value in fields.items() if value not in ((), [], None)}


def _message(message: engine.Message) -> dict[str, Any]:
    calls = [
        {"function": {"name": each.function.name, "arguments": each.function.arguments}}
        for each in message.tool_calls
    ]
    return _set(
        {
            "role": message.role or "assistant",
            "content": message.content,
            "thinking": message.thinking or None,
            "tool_calls": calls or None,
            "tool_name": message.tool_name,
        }
    )


def _model(each: Any, names: tuple[str, ...], **times: str) -> dict[str, Any]:
    fields = {name: getattr(each, name) for name in names}
    told = {name: time or None for name, time in times.items()}
    return _set({**fields, **told}) | {"details": _details(each.details)}


def found(answer: engine.WebSearchResponse) -> r.WebSearchResponse:
    """Pages of the web."""
    names = ("title", "url", "content")
    pages = [{name: getattr(each, name) for name in names} for each in answer.results]
    return r.WebSearchResponse.model_validate({"results": pages})


def _details(details: engine.ModelDetails) -> dict[str, Any]:
    names = ("parent_model", "format", "family", "parameter_size", "quantization_level")
    fields = {name: getattr(details, name) for name in names}
    return fields | {"families": list(details.families) or None}


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
