"""The route table: which function answers which method and path.

Owns 404, 405 and the redirects of slashes (``ollama-api.md`` §0.1, §1). Another route is another
entry of `ROUTES`; the control routes, which no Ollama has, stand in `control`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import cloud_routes, control, openai_routes
from .calls import EmbedCall, TextCall, read_chat, read_embed, read_embeddings, read_generate
from .embed_job import EmbedJob
from .encoding import decode_json, rfc3339
from .fields import boolean, object_of, read_body, read_fields, string
from .finding import (
    ChatErrors,
    EmbeddingsErrors,
    EmbedErrors,
    GenerateErrors,
    ShowErrors,
    find_model,
)
from .inferring import infer_text
from .model_routes import (
    answer_blob,
    copy,
    delete,
    has_blob,
    start_create,
    start_pull,
    start_push,
)
from .paths import BLOB, OPENAI_MODEL, USER_KEY
from .response import TEXT, reason_of
from .showing import details, show, tags

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["ROUTES", "Handler", "facts_of", "handler_of", "is_control"]

Handler = Callable[["Simulator", "Exchange", float], None]
_HTML = b"text/html; charset=utf-8"
_FOR_EVER_NS = 292 * 365 * 24 * 3600 * 1_000_000_000


def is_control(path: str) -> bool:
    """Whether a path is one of the simulator's own: no fault touches those, no count has them."""
    return path.startswith("/_sim/")


def facts_of(exchange: Exchange) -> tuple[str, str, str]:
    """What rules for faults look at: path, model, body as text."""
    text = exchange.request.body.decode("utf-8", "replace")
    try:
        value = decode_json(exchange.request.body)
    except (EOFError, ValueError):
        value = None
    model = value.get("model") if isinstance(value, dict) else None
    return exchange.route, model if isinstance(model, str) else "", text


def handler_of(exchange: Exchange) -> Handler:
    """Find who answers a request."""
    path, method = exchange.path, exchange.request.method
    methods = ROUTES.get(exchange.route)
    if methods is not None:
        return methods.get(method) or _not_allowed
    plain = re.sub(r"/{2,}", "/", path)
    if plain != path:
        return _redirect_to(plain, status=301)
    if path.removesuffix("/") in ROUTES:
        return _redirect_to(path.removesuffix("/"), status=301 if method == "GET" else 307)
    return _not_found


# ---- what no handler answers


def _not_found(_simulator: Simulator, exchange: Exchange, now: float) -> None:
    exchange.response.reply(404, TEXT, b"404 page not found", now)


def _not_allowed(_simulator: Simulator, exchange: Exchange, now: float) -> None:
    allow = ", ".join(ROUTES[exchange.route]).encode()
    headers = [(b"Allow", allow)]
    exchange.response.reply(405, TEXT, b"405 method not allowed", now, headers=headers)


def _redirect_to(path: str, *, status: int) -> Handler:
    def redirect(_simulator: Simulator, exchange: Exchange, now: float) -> None:
        request = exchange.request
        where = path + "".join(request.target.partition("?")[1:])
        text = f'<a href="{html.escape(where)}">{reason_of(status)}</a>.\n\n'
        body = text.encode() if request.method == "GET" else b""
        kind = _HTML if request.method in {"GET", "HEAD"} else b""
        headers = [(b"Location", where.encode("latin-1"))]
        exchange.response.reply(status, kind, body, now, headers=headers)

    return redirect


# ---- what is there


def _root(_simulator: Simulator, exchange: Exchange, now: float) -> None:
    exchange.response.reply(200, TEXT + b"; charset=utf-8", b"Ollama is running", now)


def _version(simulator: Simulator, exchange: Exchange, now: float) -> None:
    exchange.response.json(200, {"version": simulator.config.version}, now)


def _tags(simulator: Simulator, exchange: Exchange, now: float) -> None:
    offset = simulator.config.utc_offset_minutes
    exchange.response.json(200, tags(simulator.store, offset_minutes=offset), now)


def _ps(simulator: Simulator, exchange: Exchange, now: float) -> None:
    offset = simulator.config.utc_offset_minutes
    loaded = []
    for runner in simulator.scheduler.runners.values():
        model, wall_ns = runner.model, simulator.stamps.wall_ns(now)
        if runner.stay_s < 0:
            expires_ns = wall_ns + _FOR_EVER_NS
        elif runner.expires_s is None:
            expires_ns = wall_ns + int(runner.stay_s * 1e9)
        else:
            expires_ns = simulator.stamps.wall_ns(runner.expires_s)
        entry: dict[str, Any] = {
            "name": model.display,
            "model": model.display,
            "size": model.size_bytes,
            "digest": simulator.store.digest_of(model),
            "details": details(model) | {"parent_model": ""},
            "expires_at": rfc3339(expires_ns, offset_minutes=offset),
            "size_vram": model.size_bytes,
            "context_length": runner.settings.num_ctx,
        }
        loaded.append((expires_ns, entry))
    loaded.sort(key=lambda pair: -pair[0])
    exchange.response.json(200, {"models": [entry for _expires, entry in loaded]}, now)


_SHOW = {
    "model": string,
    "name": string,
    "verbose": boolean,
    "system": string,
    "template": string,
    "options": object_of,
}


def _show(simulator: Simulator, exchange: Exchange, now: float) -> None:
    found = read_fields(read_body(exchange.request.body), _SHOW, "ShowRequest")
    name = found.get("model") or found.get("name") or ""
    model = find_model(simulator, name, ShowErrors)
    stored = simulator.store.get(model.key)
    assert stored is not None, "it was found by this key"
    shown = show(
        stored,
        verbose=found.get("verbose", False),
        system=found.get("system") or None,
        offset_minutes=simulator.config.utc_offset_minutes,
    )
    exchange.response.json(200, shown, now)


# ---- inference


def _text_route(read: Callable[[dict[str, Any]], TextCall], errors: type[ChatErrors]) -> Handler:
    def answer(simulator: Simulator, exchange: Exchange, now: float) -> None:
        call = read(read_body(exchange.request.body))
        infer_text(simulator, exchange, call, find_model(simulator, call.model, errors), now)

    return answer


def _embed_route(read: Callable[[dict[str, Any]], EmbedCall], errors: type[ChatErrors]) -> Handler:
    def answer(simulator: Simulator, exchange: Exchange, now: float) -> None:
        call = read(read_body(exchange.request.body))
        model = find_model(simulator, call.model, errors)
        simulator.admit(exchange, EmbedJob(simulator, exchange, model, call), now)

    return answer


ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"GET": _root, "HEAD": _root},
    "/api/version": {"GET": _version, "HEAD": _version},
    "/api/status": {"GET": cloud_routes.status},
    "/api/tags": {"GET": _tags, "HEAD": _tags},
    "/api/ps": {"GET": _ps},
    "/api/show": {"POST": _show},
    "/api/generate": {"POST": _text_route(read_generate, GenerateErrors)},
    "/api/chat": {"POST": _text_route(read_chat, ChatErrors)},
    "/api/embed": {"POST": _embed_route(read_embed, EmbedErrors)},
    "/api/embeddings": {"POST": _embed_route(read_embeddings, EmbeddingsErrors)},
    "/api/create": {"POST": start_create},
    "/api/pull": {"POST": start_pull},
    "/api/push": {"POST": start_push},
    "/api/copy": {"POST": copy},
    "/api/delete": {"DELETE": delete},
    BLOB: {"HEAD": has_blob, "POST": answer_blob},
    "/api/me": {"POST": cloud_routes.me},
    "/api/signout": {"POST": cloud_routes.sign_out},
    USER_KEY: {"DELETE": cloud_routes.sign_out},
    "/api/experimental/web_search": {"POST": cloud_routes.search},
    "/api/experimental/web_fetch": {"POST": cloud_routes.fetch},
    "/api/experimental/model-recommendations": {"GET": cloud_routes.recommendations},
    "/v1/chat/completions": {"POST": openai_routes.complete},
    "/v1/completions": {"POST": openai_routes.complete_text},
    "/v1/embeddings": {"POST": openai_routes.embed},
    "/v1/audio/transcriptions": {"POST": openai_routes.transcribe},
    "/v1/responses": {"POST": openai_routes.respond},
    "/v1/messages": {"POST": openai_routes.message},
    "/v1/models": {"GET": openai_routes.list_models},
    OPENAI_MODEL: {"GET": openai_routes.tell_model},
    **control.ROUTES,
}
"""Methods in the order in which ``Allow`` lists them."""
