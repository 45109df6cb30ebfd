"""A server on a socket that writes down what it is sent, and answers as it is told."""

from __future__ import annotations

import json
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import attrs
import pytest
import trio

CHAT = b'{"model":"m","message":{"role":"assistant","content":"hi"},"done":true}\n'
GOOD: dict[str, bytes] = {
    "/api/version": b'{"version":"0.9.0"}',
    "/api/ps": b'{"models":[]}',
    "/api/tags": b'{"models":[]}',
}


@attrs.define
class Asked:
    """One request.

    Attributes:
        path: its target.
        headers: by lower-case name.
    """

    path: str
    headers: dict[str, str]

    @property
    def credentials(self) -> str:
        """The header ``Authorization``; empty if there is none."""
        return self.headers.get("authorization", "")


Answer = tuple[int, dict[str, str], bytes]


class Guard:
    """Answers like an Ollama that wants credentials; all are good unless `refuses` says so.

    Attributes:
        url: its address.
        asked: what it was sent.
        refuses: gives an answer for a request that is not to have the usual one, or None.
        connections: how many were opened.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.refuses: Callable[[Asked], Answer | None] = lambda _: None
        self.connections = 0

    @property
    def credentials(self) -> list[str]:
        """Those of all requests, in order."""
        return [each.credentials for each in self.asked]

    async def serve(self, context: ssl.SSLContext | None, stream: trio.SocketStream) -> None:
        """One connection."""
        self.connections += 1
        end: Any = stream
        if context is not None:
            end = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        held = b""
        try:
            while True:
                while b"\r\n\r\n" not in held:
                    held += (got := await end.receive_some())
                    if not got:
                        return
                head, _, held = held.partition(b"\r\n\r\n")
                asked = _parse(head)
                size_bytes = int(asked.headers.get("content-length", "0"))
                while len(held) < size_bytes:
                    held += await end.receive_some()
                held = held[size_bytes:]
                self.asked.append(asked)
                await end.send_all(_render(self.refuses(asked) or _usual(asked)))
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
            return


def _parse(head: bytes) -> Asked:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return Asked(first.split(" ")[1], {name.lower(): value for name, _, value in pairs})


def _usual(asked: Asked) -> Answer:
    return 200, {"Content-Type": "application/json"}, GOOD.get(asked.path, CHAT)


def _render(answer: Answer) -> bytes:
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def denied(status: int = 401, text: str = "unauthorized") -> Answer:
    """A refusal in Ollama's form."""
    return status, {"Content-Type": "application/json"}, json.dumps({"error": text}).encode()


@pytest.fixture
def deny() -> Callable[..., Answer]:
    """Make a refusal in Ollama's form."""
    return denied


@pytest.fixture
async def serve(nursery: trio.Nursery) -> AsyncIterator[Callable[..., Awaitable[Guard]]]:
    """Start a `Guard`; it ends with the test."""

    async def start(context: ssl.SSLContext | None = None) -> Guard:
        guard = Guard()
        run = partial(trio.serve_tcp, partial(guard.serve, context), 0, host="127.0.0.1")
        [listener] = await nursery.start(run)
        scheme = "http" if context is None else "https"
        guard.url = f"{scheme}://127.0.0.1:{listener.socket.getsockname()[1]}"
        return guard

    yield start
    nursery.cancel_scope.cancel()


def _everything_about(error: BaseException) -> str:
    told = ["".join(traceback.TracebackException.from_exception(error).format())]
    chain: list[BaseException | None] = [error]
    while chain:
        each = chain.pop()
        if each is not None:
            told += [repr(each), str(each), repr(vars(each)), str(each.args)]
            chain += [each.__cause__, each.__context__, *getattr(each, "causes", ())]
    return "\n".join(told)


@pytest.fixture
def everything_about() -> Callable[[BaseException], str]:
    """All that a program could print of an error, and of the errors behind it."""
    return _everything_about
