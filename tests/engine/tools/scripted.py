"""A server whose answers a test writes down beforehand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx

from triollama import Engine, EngineConfig, ProbeConfig, open_engine

SILENT = EngineConfig(probe=ProbeConfig(enabled=False))


def call(name: str, arguments: dict[str, Any] | None = None, call_id: str = "") -> dict[str, Any]:
    """A call of a tool, as a model writes it."""
    made: dict[str, Any] = {"function": {"index": 0, "name": name, "arguments": arguments or {}}}
    return {"id": call_id, **made} if call_id else made


@attrs.define
class Script:
    """The answers, in order, and the requests that they answered.

    An answer is a text, a list of pieces of text, or a list of calls.
    """

    answers: list[Any]
    done_reason: str = "stop"
    asked: list[dict[str, Any]] = attrs.field(factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Give the next answer."""
        body = json.loads(request.content)
        self.asked.append(body)
        key = "response" if request.url.path == "/api/generate" else "message"
        lines = [self._line(key, each) for each in self._events(self.answers.pop(0))]
        lines.append(self._line(key, "", done=True, done_reason=self.done_reason))
        headers = {"content-type": "application/x-ndjson"}
        return httpx.Response(200, content=b"".join(lines), headers=headers)

    def _events(self, answer: Any) -> Sequence[Any]:
        if isinstance(answer, str):
            return [answer]
        return [answer] if answer and isinstance(answer[0], dict) else answer

    def _line(self, key: str, event: Any, **more: Any) -> bytes:
        message = {"role": "assistant", "content": event if isinstance(event, str) else ""}
        if isinstance(event, list):
            message["tool_calls"] = event
        value = message if key == "message" else event
        line = {"model": "m", "created_at": "2026-01-01T00:00:00Z", key: value, "done": False}
        return json.dumps(line | more).encode() + b"\n"


@asynccontextmanager
async def scripted(
    *answers: Any, done_reason: str = "stop"
) -> AsyncIterator[tuple[Engine, Script]]:
    """An engine over one such server."""
    script = Script(list(answers), done_reason)
    transport = httpx.MockTransport(script.handle)
    async with open_engine("http://a:11434", config=SILENT, transport=transport) as engine:
        yield engine, script
