"""The functions of the module: those of a client for the server that ``OLLAMA_HOST`` names.

Its engine is opened at the first call, and another one where the environment has changed.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from .base import BaseClient
from .client import Client
from .lane import Lane

__all__ = [
    "chat",
    "copy",
    "create",
    "delete",
    "embed",
    "embeddings",
    "generate",
    "list",
    "ps",
    "pull",
    "push",
    "show",
    "systemone",
    "web_fetch",
    "web_search",
]

_VARIABLES: Final = ("OLLAMA_HOST", "OLLAMA_API_KEY")


class _Default(Client):
    """A client for what the environment says at the time of each call."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._made_for: tuple[str | None, ...] | None = None

    def _to(self) -> Lane:
        self._follow()
        return super()._to()

    def _to_cloud(self) -> Lane:
        self._follow()
        return super()._to_cloud()

    def _follow(self) -> None:
        wanted = tuple(os.environ.get(name) for name in _VARIABLES)
        with self._changing:
            if wanted == self._made_for:
                return
            if self._made_for is not None:
                self._close()
            BaseClient.__init__(self)
            self._made_for = wanted


_client = _Default()

chat = _client.chat
copy = _client.copy
create = _client.create
delete = _client.delete
embed = _client.embed
embeddings = _client.embeddings
generate = _client.generate
list = _client.list  # noqa: A001 - the official name
ps = _client.ps
pull = _client.pull
push = _client.push
show = _client.show
systemone = _client.systemone
web_fetch = _client.web_fetch
web_search = _client.web_search
