"""Servers that say what a test has written down, for transfers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import httpx
import pytest
import trio

from triollama import EndpointConfig, Engine, EngineConfig, ProbeConfig, open_engine

HANG = "hang"
CUT = "cut"

Script = Sequence[Any]
"""Lines as objects, seconds to wait, `HANG`, `CUT`; or one status with a document."""


@attrs.define
class Asked:
    """One request that a server got.

    Attributes:
        host: the server's.
        method: the request's.
        path: the request's.
        body: all of it.
        is_closed: whether the answer's body was let go.
    """

    host: str
    method: str
    path: str
    body: bytes
    is_closed: bool = False

    @property
    def fields(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class _Lines(httpx.AsyncByteStream):
    def __init__(self, script: Script, asked: Asked) -> None:
        self._script = iter(script)
        self._asked = asked

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for step in self._script:
            if step == HANG:
                await trio.sleep_forever()
            if step == CUT:
                raise httpx.ReadError("connection reset by peer")
            if not isinstance(step, int | float):
                await trio.lowlevel.checkpoint()
                return json.dumps(step).encode() + b"\n"
            await trio.sleep(step)
        self._asked.is_closed = True
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._asked.is_closed = True


class Scripted(httpx.AsyncBaseTransport):
    """Servers by host; each request takes the next script of its path, and the last one stays."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.has: set[tuple[str, str]] = set()
        self.lost: set[str] = set()
        self._scripts: dict[tuple[str, str], list[Script]] = defaultdict(list)

    def script(self, path: str, *scripts: Script, host: str = "a") -> None:
        """What a server says to the requests of a path, in turn."""
        self._scripts[host, path] = list(scripts)

    def of(self, path: str) -> list[Asked]:
        """The requests of a path so far."""
        return [asked for asked in self.asked if asked.path.startswith(path)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as it is written down."""
        host, path = request.url.host, request.url.path
        body = await request.aread()
        asked = Asked(host, request.method, path, body)
        self.asked.append(asked)
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            asked.is_closed = True
            raise
        if host in self.lost:
            raise httpx.ConnectError("connection refused")
        scripts = self._scripts[host, path]
        script = (scripts.pop(0) if len(scripts) > 1 else scripts[0]) if scripts else None
        if path.startswith("/api/blobs/") and script is None:
            return self._blob(host, request.method, path)
        assert script is not None, (host, path)
        if script and isinstance(script[0], httpx.Response):
            return script[0]
        headers = {"content-type": "application/x-ndjson"}
        return httpx.Response(200, headers=headers, stream=_Lines(script, asked))

    def _blob(self, host: str, method: str, path: str) -> httpx.Response:
        is_there = (host, path) in self.has
        if method == "HEAD":
            return httpx.Response(200 if is_there else 404)
        self.has.add((host, path))
        return httpx.Response(200 if is_there else 201)


@pytest.fixture
def servers() -> Scripted:
    """Servers that say what is written down."""
    return Scripted()


@pytest.fixture
def open_lab(servers: Scripted) -> Callable[..., AbstractAsyncContextManager[Engine]]:
    """Open an engine over them: ``http://a`` and others, whose names are their hosts."""

    @asynccontextmanager
    async def open_(*hosts: str) -> AsyncIterator[Engine]:
        config = EngineConfig(probe=ProbeConfig(enabled=False))
        endpoints = [EndpointConfig(f"http://{host}", host) for host in hosts or ("a",)]
        async with open_engine(*endpoints, config=config, transport=servers) as engine:
            yield engine
            assert not engine._runtime.errands._by_key

    return open_
