"""The routes under ``/v1``, as OpenAI's clients ask them (``ollama-api.md`` §7.1, §7.2).

Owns which errors are said by the layer that reads OpenAI's requests, and which by Ollama's own
routes behind it: they differ in their content type and line end (§0.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from .anthropic import read_messages
from .embed_job import EmbedJob
from .encoding import encode_json
from .fields import read_body
from .finding import ChatErrors, EmbedErrors, GenerateErrors, find_model
from .inferring import infer_text
from .openai_calls import read_completion, read_openai_embed, read_text_completion
from .paths import last_part
from .response import JSON_PLAIN
from .responses_calls import read_responses
from .showing import openai_model, openai_models
from .transcription import read_transcription

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = [
    "complete",
    "complete_text",
    "embed",
    "list_models",
    "message",
    "respond",
    "tell_model",
    "transcribe",
]


def list_models(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """List the models."""
    _openai(exchange, {"object": "list", "data": openai_models(simulator.store)}, now)


def tell_model(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Tell of one model."""
    exchange.response.speak_openai()
    exchange.response.was_read()
    name = last_part(exchange.path)
    stored = simulator.store.get(find_model(simulator, name, ChatErrors).key)
    assert stored is not None, "it was found by this key"
    _openai(exchange, openai_model(stored, name), now)


def _openai(exchange: Exchange, value: dict[str, Any], now: float) -> None:
    exchange.response.reply(200, JSON_PLAIN, encode_json(value) + b"\n", now)


def complete(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Answer a chat."""
    exchange.response.speak_openai()
    call = read_completion(read_body(exchange.request.body, empty="EOF"))
    exchange.response.was_read()
    infer_text(simulator, exchange, call, find_model(simulator, call.model, ChatErrors), now)


def complete_text(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Go on with a text."""
    exchange.response.speak_openai()
    call = read_text_completion(read_body(exchange.request.body, empty="EOF"))
    exchange.response.was_read()
    infer_text(simulator, exchange, call, find_model(simulator, call.model, GenerateErrors), now)


def respond(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Answer items with items."""
    exchange.response.speak_openai()
    exchange.response.hold_open()
    call = read_responses(read_body(exchange.request.body, empty="EOF"))
    exchange.response.was_read()
    infer_text(simulator, exchange, call, find_model(simulator, call.model, ChatErrors), now)


def message(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Answer in blocks; a wish to think that the model cannot fulfil is no error here."""
    exchange.response.speak_anthropic()
    call = read_messages(read_body(exchange.request.body, empty="EOF"))
    exchange.response.was_read()
    model = find_model(simulator, call.model, ChatErrors)
    if not model.has("thinking"):
        call = evolve(call, think=None)
    infer_text(simulator, exchange, call, model, now)


def transcribe(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Write down what is heard."""
    exchange.response.speak_openai()
    request = exchange.request
    call = read_transcription(request.content_type, request.body)
    exchange.response.was_read()
    infer_text(simulator, exchange, call, find_model(simulator, call.model, ChatErrors), now)


def embed(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Embed texts."""
    exchange.response.speak_openai()
    call = read_openai_embed(read_body(exchange.request.body, empty="EOF"))
    exchange.response.was_read()
    model = find_model(simulator, call.model, EmbedErrors)
    simulator.admit(exchange, EmbedJob(simulator, exchange, model, call), now)
