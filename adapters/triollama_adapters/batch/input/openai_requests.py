"""Lines of OpenAI's batch format into requests of Ollama. No IO.

They are mapped as Ollama's own ``/v1`` maps them (``ollama-api.md`` §7.1, §7.2), so that a file
gives the same answers here as line by line over there: ``temperature`` and ``top_p`` are 1 unless
given, each part of a content becomes a message, ``max_completion_tokens`` is not heeded.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from triollama_adapters.batch.fields import Fields, UnusableError
from triollama_adapters.batch.input.openai_messages import Message, messages_of
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.rows import Ask, Encoding, Kind

__all__ = ["OpenAIRequests"]

B = msgspec.Struct
_IDLE: Final = frozenset({"metadata", "store", "stream", "stream_options", "user", "service_tier"})
"""Fields that change no answer, here or there."""

_URLS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")

_EFFORTS: Final[dict[str, bool | str]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
    "xhigh": "max",
    "ultra": "max",
}


class _Sampling(B, kw_only=True):
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None


class _Schema(B):
    schema: dict[str, Any] | None = None


class _ResponseFormat(B):
    type: str = "text"
    json_schema: _Schema | None = None


class _Reasoning(B):
    effort: str | None = None


class _Chat(_Sampling, kw_only=True):
    messages: list[Message]
    response_format: _ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    reasoning: _Reasoning | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class _Completion(_Sampling, kw_only=True):
    prompt: str
    suffix: str | None = None
    logprobs: int | None = None  # taken, and never answered


class _Embedding(B, kw_only=True):
    model: str | None = None
    input: str | list[str]
    dimensions: int | None = None
    encoding_format: str | None = None


_decode_text = msgspec.json.Decoder(str).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_chat = msgspec.json.Decoder(_Chat).decode
_decode_completion = msgspec.json.Decoder(_Completion).decode
_decode_embedding = msgspec.json.Decoder(_Embedding).decode


def _known(kind: type[B]) -> frozenset[str]:
    return frozenset(kind.__struct_fields__) | _IDLE


_CHAT, _COMPLETION, _EMBEDDING = _known(_Chat), _known(_Completion), _known(_Embedding)


@attrs.frozen
class OpenAIRequests:
    """Makes requests of OpenAI's batch lines.

    Attributes:
        plan: what holds for all of them.
    """

    plan: Plan
    format = Format.OPENAI

    def custom_id(self, fields: Fields) -> str | None:
        """The row's own name; None if it has none."""
        try:
            return _decode_text(fields["custom_id"]) or None
        except (KeyError, msgspec.DecodeError):
            return None

    def fits(self, fields: Fields) -> bool:
        """Whether it has what only these lines have."""
        return "custom_id" in fields or "body" in fields

    def ask(self, fields: Fields) -> Ask:
        """The request of a row.

        Raises:
            UnusableError: there is none in it.
        """
        custom_id = self.custom_id(fields)
        if custom_id is None:
            raise UnusableError("CustomIdMissing", "has no custom_id that is a text")
        if "method" in fields and _text(fields, "method") != "POST":
            raise _wrong("has a method that is not POST")
        try:
            return self._asked(custom_id, fields)
        except msgspec.DecodeError as error:
            raise _wrong(f"has a body that is not usable: {error}") from None
        except RecursionError:
            raise _wrong("is not usable: its JSON is too deep") from None

    def _asked(self, custom_id: str, fields: Fields) -> Ask:
        body = fields.get("body")
        if body is None:
            raise _wrong("has no body")
        names = _decode_fields(body).keys()
        kind: Kind
        encoding: Encoding = "float"
        match _text(fields, "url"):
            case "/v1/chat/completions":
                kind, known, arguments = "chat", _CHAT, self._chat(_decode_chat(body))
            case "/v1/completions":
                kind, known = "generate", _COMPLETION
                arguments = self._completion(_decode_completion(body))
            case "/v1/embeddings":
                kind, known, embedding = "embed", _EMBEDDING, _decode_embedding(body)
                arguments, encoding = self._embedding(embedding), _encoding(embedding)
            case _:
                raise _wrong(f"has a url that is none of {', '.join(_URLS)}")
        ignored = tuple(sorted(names - known))
        return Ask(kind, arguments, custom_id, encoding, ignored, fields)

    def _chat(self, body: _Chat) -> dict[str, Any]:
        arguments = {
            "model": self.plan.model_for(body.model),
            "messages": messages_of(body.messages),
            **self.plan.shared("chat"),
            "options": self._options(body),
        }
        own = {
            "tools": body.tools,
            "format": _format(body.response_format),
            "think": _think(body),
            "logprobs": body.logprobs,
            "top_logprobs": body.top_logprobs,
        }
        return arguments | {name: value for name, value in own.items() if value is not None}

    def _completion(self, body: _Completion) -> dict[str, Any]:
        arguments = {
            "model": self.plan.model_for(body.model),
            "prompt": body.prompt,
            **self.plan.shared("generate"),
            "options": self._options(body),
        }
        return arguments | ({"suffix": body.suffix} if body.suffix else {})

    def _embedding(self, body: _Embedding) -> dict[str, Any]:
        arguments = {
            "model": self.plan.model_for(body.model),
            "input": body.input,
            **self.plan.shared("embed"),
        }
        if body.input == []:
            raise _wrong("has a body that is not usable: its input is an empty list")
        if body.dimensions is not None:
            arguments["dimensions"] = body.dimensions
        return arguments

    def _options(self, body: _Sampling) -> dict[str, Any]:
        own = {
            "num_predict": body.max_tokens,
            "temperature": body.temperature,
            "top_p": body.top_p,
            "seed": body.seed,
            "stop": [body.stop] if isinstance(body.stop, str) else body.stop,
            "frequency_penalty": body.frequency_penalty,
            "presence_penalty": body.presence_penalty,
        }
        given = {name: value for name, value in own.items() if value is not None}
        return {"temperature": 1.0, "top_p": 1.0, **(self.plan.options or {}), **given}


def _wrong(what: str) -> UnusableError:
    return UnusableError("RequestNotUsable", what)


def _text(fields: Fields, name: str) -> str | None:
    try:
        return _decode_text(fields[name])
    except (KeyError, msgspec.DecodeError):
        return None


def _format(wanted: _ResponseFormat | None) -> str | dict[str, Any] | None:
    match wanted:
        case _ResponseFormat(type="json_object"):
            return "json"
        case _ResponseFormat(type="json_schema", json_schema=_Schema(schema=schema)):
            return schema
        case _:
            return None


def _encoding(body: _Embedding) -> Encoding:
    match (body.encoding_format or "float").lower():
        case "float":
            return "float"
        case "base64":
            return "base64"
        case _:
            raise _wrong("has an encoding_format that is neither float nor base64")


def _think(body: _Chat) -> bool | str | None:
    effort = body.reasoning.effort if body.reasoning is not None else None
    effort = effort or body.reasoning_effort
    if not effort:
        return None
    if effort not in _EFFORTS:
        raise _wrong(f"has a reasoning effort that is none of {', '.join(_EFFORTS)}")
    return _EFFORTS[effort]
