"""The routes that change what a server has: blobs, copy, delete, pull and push.

Owns their requests and the errors before any work (``ollama-api.md`` §2.8 to §2.11, §2.13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triollama._errors import InvalidRequestError
from triollama.api.names import ModelName, parse_name

from .create_call import read_create
from .creating import create
from .errors import ApiError
from .fields import Field, boolean, read_body, read_fields, string
from .finding import DeleteErrors, find_model, read_name
from .layers import parse_digest
from .paths import last_part
from .pulling import pull, push
from .store import Blob
from .uploads import Upload

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = [
    "answer_blob",
    "copy",
    "delete",
    "has_blob",
    "start_create",
    "start_pull",
    "start_push",
]

_NAMES: dict[str, Field] = {"model": string, "name": string}
_TRANSFER: dict[str, Field] = {**_NAMES, "insecure": boolean, "stream": boolean}
_COPY: dict[str, Field] = {"source": string, "destination": string}


def has_blob(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Say whether a blob is there."""
    text = last_part(exchange.path)
    if simulator.store.blob(parse_digest(text)) is None:
        raise ApiError(404, f'blob "{text}" not found')
    exchange.response.reply(200, b"", b"", now)


def answer_blob(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Store a blob, if its digest is what the path says."""
    text = last_part(exchange.path)
    digest = parse_digest(text)
    if simulator.store.blob(digest) is not None:
        exchange.response.reply(200, b"", b"", now)
        return
    upload = exchange.request.upload
    if upload is None:
        upload = Upload()
        upload.feed(exchange.request.body)
    if upload.digest != digest:
        raise ApiError(400, f'digest mismatch, expected "{digest}", got "{upload.digest}"')
    simulator.store.add_blob(digest, Blob(upload.size, upload.head))
    exchange.response.reply(201, b"", b"", now)


def copy(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Give a model another name."""
    found = read_fields(read_body(exchange.request.body), _COPY, "CopyRequest")
    source, destination = found.get("source", ""), found.get("destination", "")
    name = read_name(source, f'source "{source}" is invalid')
    target = read_name(destination, f'destination "{destination}" is invalid')
    stored = simulator.store.get(name.key)
    if stored is None:
        raise ApiError(404, f'model "{source}" not found')
    simulator.store.copy(stored, target, simulator.wall_ns)
    exchange.response.reply(200, b"", b"", now)


def delete(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Forget a model; one that is loaded stays so until it goes by itself."""
    found = read_fields(read_body(exchange.request.body), _NAMES, "DeleteRequest")
    name = found.get("model") or found.get("name") or ""
    model = find_model(simulator, name, DeleteErrors)
    simulator.store.remove(model.key)
    exchange.response.reply(200, b"", b"", now)


def start_create(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Begin to make a model."""
    call = read_create(read_body(exchange.request.body))
    name = read_name(call.name)
    steps = create(simulator, call, name)
    simulator.begin_work(exchange, steps, now, is_stream=call.is_stream)


def start_pull(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Begin a pull."""
    found = read_fields(read_body(exchange.request.body), _TRANSFER, "PullRequest")
    name = read_name(found.get("model") or found.get("name") or "")
    steps = pull(simulator, name, insecure=found.get("insecure", False))
    simulator.begin_work(exchange, steps, now, is_stream=found.get("stream", True))


def start_push(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Begin a push; what is wrong with the name is told behind the first event."""
    found = read_fields(read_body(exchange.request.body), _TRANSFER, "PushRequest")
    text = found.get("model") or found.get("name") or ""
    if not text:
        raise ApiError(400, "model is required")
    name: ModelName | None
    try:
        name = parse_name(text)
    except InvalidRequestError:
        name = None
    steps = push(simulator, text, name, insecure=found.get("insecure", False))
    simulator.begin_work(exchange, steps, now, is_stream=found.get("stream", True))
