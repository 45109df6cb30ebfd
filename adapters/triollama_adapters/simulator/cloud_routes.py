"""The routes that a server relays to ollama.com: the account, search on the web, recommendations.

Owns their bodies and errors (``ollama-api.md`` §2.12, §4.9). There is no ollama.com here: what
comes back is made up out of the request, and is the same each time.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from .encoding import encode_json
from .errors import ApiError
from .fields import Field, integer, read_body, read_fields, string
from .response import JSON

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["fetch", "me", "recommendations", "search", "sign_out", "status"]

_RESULTS, _RESULTS_MAX = 5, 10
_SIGNIN_URL = "https://ollama.com/connect?name=simulator&key=c3NoLWVkMjU1MTkgc2ltdWxhdG9y"
_SEARCH: dict[str, Field] = {"query": string, "max_results": integer}
_FETCH: dict[str, Field] = {"url": string}
_RECOMMENDED: tuple[dict[str, Any], ...] = (
    {
        "model": "gpt-oss:120b-cloud",
        "description": "Large, for reasoning and agents",
        "context_length": 131_072,
        "max_output_tokens": 131_072,
        "required_plan": "free",
    },
    {
        "model": "qwen3-coder:480b-cloud",
        "description": "Large, for code",
        "context_length": 262_144,
        "max_output_tokens": 65_536,
        "required_plan": "pro",
    },
    {
        "model": "llama3.2",
        "description": "Small and quick",
        "context_length": 131_072,
        "vram_bytes": 3_400_000_000,
    },
    {
        "model": "qwen3:0.6b",
        "description": "Thinks, on any machine",
        "context_length": 40_960,
        "vram_bytes": 1_200_000_000,
    },
    {"model": "llava:7b", "description": "Sees images", "vram_bytes": 6_000_000_000},
    {"model": "nomic-embed-text", "description": "Embeddings"},
)


def status(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Say whether the cloud may be used."""
    is_off = not simulator.config.cloud
    cloud = {"disabled": is_off, "source": "env" if is_off else "none"}
    exchange.response.json(200, {"cloud": cloud}, now)


def me(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Say who the server is signed in as."""
    name = simulator.account
    if not name:
        _refuse(exchange, now)
        return
    account = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.simulator")),
        "email": f"{name}@example.com",
        "name": name,
        "plan": "free",
    }
    exchange.response.json(200, account, now)


def sign_out(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Sign out; to sign in again there is the control's reset."""
    if not simulator.account:
        raise ApiError(401, "you are not currently signed in")
    simulator.account = ""
    exchange.response.json(200, None, now)


def search(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Find pages that do not exist."""
    found = read_fields(read_body(exchange.request.body), _SEARCH, "WebSearchRequest")
    if not _may_ask(simulator, exchange, "web search", now):
        return
    query, count = found.get("query", ""), found.get("max_results") or _RESULTS
    results = [
        {
            "title": f"{query}, page {number}",
            "url": f"https://example.com/{number}",
            "content": f"What page {number} says of {query}.",
        }
        for number in range(1, min(max(count, 1), _RESULTS_MAX) + 1)
    ]
    exchange.response.json(200, {"results": results}, now)


def fetch(simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Read a page, which is not asked for anywhere."""
    found = read_fields(read_body(exchange.request.body), _FETCH, "WebFetchRequest")
    if not _may_ask(simulator, exchange, "web fetch", now):
        return
    url = found.get("url", "")
    page = {
        "title": f"The page at {url}",
        "content": f"What {url} says.",
        "links": ["https://example.com/1", "https://example.com/2"],
    }
    exchange.response.json(200, page, now)


def recommendations(_simulator: Simulator, exchange: Exchange, now: float) -> None:
    """Name models, as a server does that is offline."""
    exchange.response.json(200, {"recommendations": list(_RECOMMENDED)}, now)


def _may_ask(simulator: Simulator, exchange: Exchange, what: str, now: float) -> bool:
    """Whether ollama.com can be asked; if not, that is answered."""
    if not simulator.config.cloud:
        raise ApiError(403, f"ollama cloud is disabled: {what} is unavailable")
    if not simulator.account:
        _refuse(exchange, now)
    return bool(simulator.account)


def _refuse(exchange: Exchange, now: float) -> None:
    body = encode_json({"error": "unauthorized", "signin_url": _SIGNIN_URL})
    exchange.response.reply(401, JSON, body, now)
