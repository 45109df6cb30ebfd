"""Paths with a part that varies, and what stands in its place in the table of routes.

Owns the patterns, so that rules for faults and the counts of requests name a route and no digest.
"""

from __future__ import annotations

from urllib.parse import unquote

__all__ = ["BLOB", "OPENAI_MODEL", "USER_KEY", "is_blob", "last_part", "route_of"]

BLOB = "/api/blobs/:digest"
USER_KEY = "/api/user/keys/:key"
OPENAI_MODEL = "/v1/models/:model"
_PATTERNS = tuple((route[: route.index(":")], route) for route in (BLOB, USER_KEY, OPENAI_MODEL))
_HEADS = tuple(head for head, _route in _PATTERNS)


def route_of(path: str) -> str:
    """The route that a path belongs to: the path itself, but for those with a part that varies."""
    if not path.startswith(_HEADS):
        return path
    for head, route in _PATTERNS:
        if path.startswith(head) and len(path) > len(head) and "/" not in path[len(head) :]:
            return route
    return path


def last_part(path: str) -> str:
    """The part that varies."""
    return unquote(path.rpartition("/")[2])


def is_blob(method: str, target: str) -> bool:
    """Whether a request's body is a blob, to be hashed while it comes."""
    return method == "POST" and route_of(target.partition("?")[0]) == BLOB
