"""What this engine sends otherwise than the official client, each with its reason; nothing else.

``docs/migrating.md`` has a row for each.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from tests.adapters.compat.ollama.recorder import Sent

NAMED = tuple(
    f"/api/{name}" for name in ("chat", "generate", "embed", "embeddings", "show", "copy", "delete")
)
"""Where a model that is not there is told with the names of those that are."""

STREAMS = ("/api/chat", "/api/generate", "/api/pull", "/api/push", "/api/create")
DRAWING = ("width", "height", "steps")
EMPTY: tuple[object, ...] = ("", [], {})
KEPT = ("messages", "prompt", "input", "state", "questions")
"""What is sent even if it is empty: it says that a model is only to be loaded."""


def _fields(sent: Sent) -> dict[str, Any]:
    return dict(sent.body) if isinstance(sent.body, dict) else {}


def _stream(sent: Sent) -> list[Sent]:
    if sent.path not in STREAMS:
        return [sent]
    return [attrs.evolve(sent, body={**_fields(sent), "stream": True})]


def _empty(sent: Sent) -> list[Sent]:
    if not isinstance(sent.body, dict):
        return [sent]
    kept = {k: v for k, v in sent.body.items() if k in KEPT or v not in EMPTY}
    return [attrs.evolve(sent, body=kept)]


def _content(sent: Sent) -> list[Sent]:
    fields = _fields(sent)
    if "messages" not in fields:
        return [sent]
    fields["messages"] = [{"content": "", **message} for message in fields["messages"]]
    return [attrs.evolve(sent, body=fields)]


def _index(sent: Sent) -> list[Sent]:
    fields = _fields(sent)
    if "messages" not in fields:
        return [sent]
    fields["messages"] = [
        {**message, "tool_calls": [_with_index(call) for call in message["tool_calls"]]}
        if "tool_calls" in message
        else message
        for message in fields["messages"]
    ]
    return [attrs.evolve(sent, body=fields)]


def _with_index(call: dict[str, Any]) -> dict[str, Any]:
    return {**call, "function": {"index": 0, **call["function"]}}


def _defs(sent: Sent) -> list[Sent]:
    fields = copy.deepcopy(_fields(sent))
    for tool in fields.get("tools", ()):
        tool["function"]["parameters"].pop("$defs", None)
    return [attrs.evolve(sent, body=fields)] if fields else [sent]


def _drawing(sent: Sent) -> list[Sent]:
    if sent.path != "/api/generate":
        return [sent]
    kept = {name: value for name, value in _fields(sent).items() if name not in DRAWING}
    return [attrs.evolve(sent, body=kept)]


def _blob(sent: Sent) -> list[Sent]:
    if not sent.path.startswith("/api/blobs/"):
        return [sent]
    return [Sent("HEAD", sent.path, None), sent]


DIFFERENCES: dict[str, Callable[[Sent], list[Sent]]] = {
    "stream": _stream,
    "empty": _empty,
    "content": _content,
    "index": _index,
    "defs": _defs,
    "drawing": _drawing,
    "blob": _blob,
}
"""By name, what becomes of a request of the official client's."""


LOOK = Sent("GET", "/api/tags", None)


def expected(requests: Sequence[Sent], status: int = 0) -> list[Sent]:
    """What is sent here in place of what the official client sends.

    Args:
        requests: the official client's.
        status: that of the error that came of it.
    """
    for change in DIFFERENCES.values():
        requests = [each for sent in requests for each in change(sent)]
    is_missing = status == 404 and requests[-1].path in NAMED
    return [*requests, LOOK] if is_missing else list(requests)
