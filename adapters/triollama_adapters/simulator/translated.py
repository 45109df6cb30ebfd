"""A chat's answer in the words of another API: ``/v1/messages`` and ``/v1/responses``.

Owns the way there. As in Ollama, the answer is made as for ``/api/chat``, and each of its events is
read again and turned into others. That costs more than a token should, but these routes are not
those of load tests.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from .encoding import encode_json
from .response import JSON_PLAIN, Response

__all__ = ["Translated", "Translator", "sse"]


class Translator(Protocol):
    """Turns the events of one chat into those of another API."""

    def begin(self) -> list[bytes]:
        """What comes before the first event."""

    def event(self, event: dict[str, Any]) -> list[bytes]:
        """What an event before the last becomes."""

    def end(self, event: dict[str, Any]) -> list[bytes]:
        """What the last event becomes; it may hold the rest of the answer."""

    def whole(self, event: dict[str, Any]) -> dict[str, Any]:
        """What an answer becomes that is no stream."""


def sse(data: dict[str, Any], *, is_sorted: bool = False) -> bytes:
    """Write an event, whose kind stands in its data as well."""
    shown = dict(sorted(data.items())) if is_sorted else data
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), encode_json(shown))


class Translated:
    """The part of a response that a chat writes its answer to.

    Args:
        response: where the translation goes.
        translator: who translates.
    """

    def __init__(self, response: Response, translator: Translator) -> None:
        self._response = response
        self._translator = translator
        self._has_begun = False

    def events(self, lines: list[bytes], now: float) -> None:
        """Translate and send events."""
        pieces = self._begun()
        for line in lines:
            pieces += self._translator.event(json.loads(line))
        if pieces:
            self._response.events(pieces, now)

    def close(self, last: bytes | None, now: float) -> None:
        """Translate and send the last event, and end the stream in good order."""
        pieces = self._begun()
        if last is not None:
            pieces += self._translator.end(json.loads(last))
        self._response.events(pieces, now)
        if not self._response.over:
            self._response.close(None, now)

    def reply(
        self, status: int, kind: bytes, body: bytes, now: float, *, streamed: bool = False
    ) -> None:
        """Translate and send a whole answer, which is the same kind for all."""
        del status, kind, streamed
        value = encode_json(self._translator.whole(json.loads(body))) + b"\n"
        self._response.reply(200, JSON_PLAIN, value, now)

    def _begun(self) -> list[bytes]:
        has_begun, self._has_begun = self._has_begun, True
        return [] if has_begun else self._translator.begin()
