"""Transfers over real sockets: what the server sees when they are left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import trio

from triollama import (
    BlobChangedError,
    Engine,
    EngineConfig,
    ProbeConfig,
    open_engine,
)

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LINE = b'{"status":"pulling manifest"}\n'
SUCCESS = b'{"status":"success"}\n'
DONE = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SUCCESS), SUCCESS)
CHUNK = b"%x\r\n%s\r\n" % (len(LINE), LINE)
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def serving(serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[Engine]:
    """An engine over one server."""
    async with trio.open_nursery() as nursery:
        start = partial(trio.serve_tcp, serve, 0, host="127.0.0.1")
        [listener] = await nursery.start(start)
        port = listener.socket.getsockname()[1]
        config = EngineConfig(probe=ProbeConfig(enabled=False))
        async with open_engine(f"http://127.0.0.1:{port}", config=config) as engine:
            yield engine
        nursery.cancel_scope.cancel()


async def read_request(stream: trio.SocketStream) -> bytes:
    """A request's head, and what came with it; empty at the end."""
    got = b""
    while b"\r\n\r\n" not in got:
        data = await stream.receive_some(65_536)
        if not data:
            return b""
        got += data
    return got


@pytest.mark.parametrize("how", ["left", "cancelled", "awaited"])
async def test_a_pull_that_is_left_closes_its_socket(how: str) -> None:
    """The server learns of it at once, so that it stops downloading."""
    closed = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        await read_request(stream)
        await stream.send_all(HEAD + CHUNK)
        assert await stream.receive_some(1) == b""
        closed.set()

    async with serving(serve) as engine:
        if how == "left":
            async with engine.pull("m") as progress:
                await anext(progress)
        elif how == "cancelled":
            with trio.CancelScope() as scope:
                async with engine.pull("m") as progress:
                    async for _ in progress:
                        scope.cancel()
        else:
            with trio.move_on_after(0.05):
                await engine.pull("m")
        with trio.fail_after(5):
            await closed.wait()


@pytest.mark.slow
async def test_an_upload_that_is_cancelled_closes_its_socket(tmp_path: Path) -> None:
    """Half of a blob is no blob."""
    path = trio.Path(tmp_path / "large.gguf")
    await path.write_bytes(bytes(64 * 1024 * 1024))
    closed = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        head = await read_request(stream)
        if head.startswith(b"HEAD"):
            await stream.send_all(MISSING)
            return
        await trio.sleep(0.05)
        with suppress(trio.BrokenResourceError):
            while await stream.receive_some(65_536):
                pass
        closed.set()

    async with serving(serve) as engine:
        with trio.move_on_after(0.2):
            await engine.push_blob(str(path))
        assert not engine._runtime.errands._by_key
        with trio.fail_after(5):
            await closed.wait()


async def test_a_file_that_changes_on_the_way_is_cut_off(tmp_path: Path) -> None:
    """The server does not get the whole length, so it makes nothing of what it got."""
    path = trio.Path(tmp_path / "large.gguf")
    size = 64 * 1024 * 1024
    await path.write_bytes(bytes(size))
    got = 0
    ended = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal got
        head = await read_request(stream)
        if head.startswith(b"HEAD"):
            await stream.send_all(MISSING)
            return
        got = len(head.partition(b"\r\n\r\n")[2])
        async with await path.open("r+b") as file:
            await file.write(b"changed")
        with suppress(trio.BrokenResourceError):
            while data := await stream.receive_some(65_536):
                got += len(data)
        ended.set()

    async with serving(serve) as engine:
        with pytest.raises(BlobChangedError):
            await engine.push_blob(str(path))
        with trio.fail_after(5):
            await ended.wait()
    assert got < size


@pytest.mark.slow
async def test_an_upload_that_stands_still_is_begun_again(tmp_path: Path) -> None:
    """Of a server that takes nothing; the second time it does."""
    path = trio.Path(tmp_path / "large.gguf")
    size = 32 * 1024 * 1024
    await path.write_bytes(bytes(size))
    posts = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal posts
        head, _, body = (await read_request(stream)).partition(b"\r\n\r\n")
        if head.startswith(b"HEAD"):
            await stream.send_all(MISSING)
            return
        if b"/api/create" in head:
            await stream.send_all(HEAD + DONE)
            return
        posts += 1
        if posts == 1:
            await trio.sleep_forever()
        left = size - len(body)
        while left:
            left -= len(await stream.receive_some(1_000_000))
        await stream.send_all(CREATED)

    async with (
        serving(serve) as engine,
        engine.create("m", files=[str(path)], stall_s=0.5) as progress,
    ):
        phases = [event.phase async for event in progress]
        result = await progress.result()
    assert posts >= 2
    assert phases.count("restart") == result.endpoints[0].restarts == posts - 1
    assert result.moved_bytes == size


async def test_a_question_outlives_a_kept_connection_that_was_closed() -> None:
    """A server may close it just when the next question is sent: it is asked once more."""
    body = b'{"version":"0.14.0"}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    connections = 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        async with stream:
            await read_request(stream)
            await stream.send_all(answer % (len(body), body))
            await read_request(stream)  # and is closed without a word

    async with serving(serve) as engine:
        for _ in range(3):
            assert (await engine.version()).version == "0.14.0"
            assert await engine.tags() is not None
    assert connections >= 3
