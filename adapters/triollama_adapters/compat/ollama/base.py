"""What the two clients share: their arguments, and their engines."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any

from triollama import EndpointConfig

from .lane import Lane
from .settings import cloud_settings, settings_of

__all__ = ["BaseClient"]


class BaseClient:
    """A client; its engine is opened when it is first needed, in a thread of its own.

    Args:
        host: the server, as the official client takes it; also an `EndpointConfig`, or several of
            both: then requests go to whichever is best, and on to another where one fails. By
            default the environment's ``OLLAMA_HOST``.
        settings: ``headers``; ``timeout`` (seconds or `httpx.Timeout`); ``verify`` (a file of
            authorities), ``cert``, ``auth``; ``transport``, an asynchronous one of httpx;
            ``config``, an `EngineConfig`, in place of ``timeout``; ``on_break``, see
            `Engine.stream_chat`.

    Raises:
        TypeError: an argument that only httpx would understand.
        ConfigError: a value is not usable.
    """

    def __init__(
        self,
        host: str | EndpointConfig | Sequence[str | EndpointConfig] | None = None,
        **settings: Any,
    ) -> None:
        self._settings = settings_of(host, os.environ, **settings)
        self._lane = Lane(self._settings)
        self._cloud_lane: Lane | None = None
        self._cloud_lock = threading.Lock()
        weakref.finalize(self, self._lane.close)

    def __repr__(self) -> str:
        names = ", ".join(each.name for each in self._settings.endpoints)
        return f"<{type(self).__name__} of {names}>"

    def _to(self) -> Lane:
        """The way to the servers."""
        return self._lane

    def _to_cloud(self) -> Lane:
        """The way to ollama.com, whatever server the models are on.

        Raises:
            ValueError: there is no key for it.
        """
        with self._cloud_lock:
            if self._cloud_lane is None:
                self._cloud_lane = Lane(cloud_settings(self._settings))
                weakref.finalize(self, self._cloud_lane.close)
            return self._cloud_lane

    def _close(self) -> None:
        self._lane.close()
        if self._cloud_lane is not None:
            self._cloud_lane.close()
