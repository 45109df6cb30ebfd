"""The HTTP process's inside: real sockets on loopback."""

from __future__ import annotations

import json
import logging
import re
import socket
from typing import Any

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama_adapters.simulator import connection, serve
from triollama_adapters.simulator.config import SimulatorConfig
from triollama_adapters.simulator.core import Simulator
from triollama_adapters.simulator.embed_job import EmbedJob
from triollama_adapters.simulator.generation import Generation
from triollama_adapters.simulator.text_job import TextJob

CHAT = {"model": "llama3.2", "messages": [{"role": "user", "content": "hello"}]}
LONG = {"answer_tokens_min": 10**6, "answer_tokens_max": 10**6}


def raw(method: str, path: str, body: Any = None, *headers: str) -> bytes:
    """Write a request as curl would."""
    data = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + data


@pytest.fixture
async def connect() -> Any:
    """Connect to a URL; closed at the end of the test."""
    streams: list[trio.SocketStream] = []

    async def connect(url: str) -> trio.SocketStream:
        host, _, port = url.removeprefix("http://").partition(":")
        streams.append(await trio.open_tcp_stream(host, int(port)))
        return streams[-1]

    yield connect
    for stream in streams:
        await stream.aclose()


async def read_until(stream: trio.SocketStream, end: bytes) -> bytes:
    """Read until the bytes end so."""
    data = b""
    while not data.endswith(end):
        more = await stream.receive_some(65536)
        assert more, data
        data += more
    return data


async def state_of(url: str) -> Any:
    """What the control route says."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"{url}/_sim/state")).json()


async def wait_state(url: str, **wanted: int) -> Any:
    """Wait until the state has these values."""
    with trio.fail_after(5):
        while True:
            state = await state_of(url)
            if all(state[name] == value for name, value in wanted.items()):
                return state
            await trio.sleep(0.005)


async def wait_blocked(made: list[Simulator]) -> Any:
    """Wait until the only request of a server is blocked by its client."""
    with trio.fail_after(5):
        while True:
            await trio.sleep(0.005)
            flying = next(iter(made[0]._flying), None) if made else None
            if flying and flying.job.generation and flying.job.generation.blocks:
                return flying


async def test_plain_body_on_the_wire(start_server: Any, connect: Any) -> None:
    """Only the headers that Ollama sends, and no line end behind the JSON."""
    stream = await connect(await start_server())
    await stream.send_all(raw("GET", "/api/version"))
    data = await read_until(stream, b"}")
    assert re.fullmatch(
        rb"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        rb"Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n"
        rb'Content-Length: 20\r\n\r\n\{"version":"0.33.0"\}',
        data,
    )


async def test_stream_on_the_wire(start_server: Any, connect: Any) -> None:
    """One chunk for each event, a clean end, and the connection serves the next request."""
    stream = await connect(await start_server())
    for _ in range(2):
        await stream.send_all(raw("POST", "/api/chat", CHAT))
        data = await read_until(stream, b"0\r\n\r\n")
        head, _, body = data.partition(b"\r\n\r\n")
        assert b"\r\nContent-Type: application/x-ndjson\r\n" in head
        assert b"\r\nTransfer-Encoding: chunked" in head
        assert len(re.findall(rb"[0-9a-f]+\r\n\{[^\n]*\}\n\r\n", body)) == body.count(b"created_at")


async def test_pipelined_requests_are_answered_in_order(start_server: Any, connect: Any) -> None:
    """More than may wait at once, sent in one go, are all answered."""
    stream = await connect(await start_server())
    count = 3 * connection._PENDING_MAX
    await stream.send_all(raw("POST", "/api/chat", CHAT) + raw("GET", "/api/version") * count)
    data = b""
    with trio.fail_after(5):
        while data.count(b'{"version"') < count:
            data += await stream.receive_some(65536)
    assert data.index(b'"done":true') < data.index(b'{"version"')


async def test_a_thousand_pipelined_requests(start_server: Any, connect: Any) -> None:
    """However many there are, each has its answer."""
    stream = await connect(await start_server())
    await stream.send_all(raw("GET", "/api/version") * 1000)
    data = b""
    with trio.fail_after(5):
        while data.count(b'{"version"') < 1000:
            data += await stream.receive_some(1 << 20)


async def test_answers_that_are_not_read_are_not_made(
    start_server: Any, monkeypatch: pytest.MonkeyPatch, connect: Any
) -> None:
    """A client that asks and asks without reading is read no more, so memory does not grow."""
    made: list[connection.Connection] = []
    run = connection.Connection.run

    async def spy(self: connection.Connection) -> None:
        made.append(self)
        await run(self)

    monkeypatch.setattr(connection.Connection, "run", spy)
    stream = await connect(await start_server())
    ask = raw("POST", "/api/show", {"model": "llama3.2", "verbose": True})

    async def flood() -> None:
        while True:
            await stream.send_all(ask * 100)

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            while not (made and made[0]._out and made[0]._is_busy()):
                await trio.sleep(0.005)
            kept = len(made[0]._out)
            await trio.sleep(0.02)
            assert len(made[0]._out) == kept < 2**20
            nursery.cancel_scope.cancel()


async def test_a_client_that_only_reads_any_more(start_server: Any, connect: Any) -> None:
    """What it asked before it closed its direction is answered, whole and in order."""
    url = await start_server()
    stream = await connect(url)
    ask = raw("POST", "/api/show", {"model": "llama3.2", "verbose": True}) * 40
    await stream.send_all(raw("POST", "/api/chat", CHAT) + ask)
    await stream.send_eof()
    await trio.sleep(0.05)  # the socket's buffer fills
    data = b"".join([part async for part in stream])
    assert data.count(b"HTTP/1.1 200 OK") == 41
    assert data.index(b'"done":true') < data.index(b'"modelfile"')
    assert data.endswith(b"0\r\n\r\n")
    await wait_state(url, connections=1, finished=41)


async def test_noise_behind_a_request(start_server: Any, connect: Any) -> None:
    """The request is answered, then the noise, then the connection closes."""
    stream = await connect(await start_server())
    await stream.send_all(raw("POST", "/api/chat", CHAT) + b"noise\r\n\r\n")
    await stream.send_eof()
    data = b"".join([part async for part in stream])
    assert data.index(b'"done":true') < data.index(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize("asked", [1, 40])
async def test_restart_under_a_client_that_does_not_read(
    start_server: Any, connect: Any, caplog: pytest.LogCaptureFixture, asked: int
) -> None:
    """Its connection is cut and forgotten, and nobody calls that a defect."""
    url = await start_server(decode_tokens_per_s=1e6, **LONG)
    stream = await connect(url)
    await stream.send_all(raw("POST", "/api/chat", CHAT) * asked)
    await wait_state(url, in_flight=1)
    await trio.sleep(0.1)  # the socket's buffer fills
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{url}/_sim/restart")
    await wait_state(url, in_flight=0, connections=1, failed=1)
    assert not caplog.records


async def test_closing_when_asked(start_server: Any, connect: Any) -> None:
    """``Connection: close`` is answered and done."""
    stream = await connect(await start_server())
    await stream.send_all(raw("GET", "/", None, "Connection: close"))
    data = b"".join([part async for part in stream])
    assert data.endswith(b"Ollama is running")
    assert b"Connection: close\r\n" in data


async def test_no_http_is_answered_400(start_server: Any, connect: Any) -> None:
    """Noise is refused, and the server goes on."""
    url = await start_server()
    stream = await connect(url)
    await stream.send_all(b"\x16\x03\x01 noise\r\n\r\n")
    assert (await stream.receive_some(65536)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    await stream.aclose()
    await wait_state(url, connections=1)


async def test_expect_continue(start_server: Any, connect: Any) -> None:
    """A client that waits for leave gets it, as curl with a large body."""
    stream = await connect(await start_server())
    body = json.dumps(CHAT).encode()
    head = raw("POST", "/api/chat", None, "Expect: 100-continue")
    head = head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body))
    await stream.send_all(head)
    assert await read_until(stream, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await stream.send_all(body)
    assert b'"done":true' in await read_until(stream, b"0\r\n\r\n")


async def test_disconnect_while_generating(start_server: Any, connect: Any) -> None:
    """A client that leaves is noticed: the slot is free, the count says aborted."""
    url = await start_server(num_parallel=1, **LONG)
    streams = [await connect(url) for _ in range(2)]
    for stream in streams:
        await stream.send_all(raw("POST", "/api/chat", CHAT))
    await streams[0].receive_some(100)
    await wait_state(url, in_flight=2, slot_line=1)
    await streams[0].aclose()
    await wait_state(url, in_flight=1, slot_line=0, generations_aborted=1, generations_started=2)
    await streams[1].aclose()
    await wait_state(url, in_flight=0, connections=1)


async def test_disconnect_while_waiting(start_server: Any, connect: Any) -> None:
    """A client that leaves the slot line costs no generation."""
    url = await start_server(num_parallel=1, **LONG)
    streams = [await connect(url) for _ in range(2)]
    for stream in streams:
        await stream.send_all(raw("POST", "/api/chat", CHAT))
        await trio.sleep(0.01)
    await wait_state(url, slot_line=1)
    await streams[1].aclose()
    await wait_state(url, slot_line=0, in_flight=1, cancelled=1)
    assert (await state_of(url))["generations_started"] == 1
    await streams[0].aclose()


async def test_a_client_that_does_not_read_stops_the_generation(
    start_server: Any, monkeypatch: pytest.MonkeyPatch, connect: Any
) -> None:
    """Back-pressure: the server's memory does not grow, and reading sets it going again."""
    made: list[Simulator] = []
    submit = Simulator.submit

    def spy(self: Simulator, *args: Any) -> Any:
        made.append(self)
        return submit(self, *args)

    monkeypatch.setattr(Simulator, "submit", spy)
    url = await start_server(decode_tokens_per_s=1e6, context_length=131_072, **LONG)
    stream = await connect(url)
    await stream.send_all(raw("POST", "/api/chat", CHAT))
    flying = await wait_blocked(made)
    tokens = flying.job.generation.tokens
    await trio.sleep(0.05)
    assert flying.job.generation.tokens == tokens
    received = 0
    with trio.fail_after(5):
        while flying.job.generation.tokens == tokens:
            received += len(await stream.receive_some(1 << 20))
    assert received > 0
    await stream.aclose()
    await wait_state(url, in_flight=0)


async def test_many_streams_at_once(start_server: Any, connect: Any) -> None:
    """A hundred streams all end, whole."""
    url = await start_server(num_parallel=100)
    done = []

    async def one() -> None:
        stream = await connect(url)
        await stream.send_all(raw("POST", "/api/chat", CHAT))
        done.append(b'"done":true' in await read_until(stream, b"0\r\n\r\n"))
        await stream.aclose()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(one)
    assert done == [True] * 100
    await wait_state(url, in_flight=0, finished=100, connections=1)


async def test_refusal_closes_the_listener_for_a_time(start_server: Any, connect: Any) -> None:
    """While it refuses, a connection is refused by the system; the time over, it is not."""
    url = await start_server()
    async with httpx.AsyncClient(trust_env=False) as client:
        rule = {"fault": {"kind": "refuse", "seconds": 0.15}, "times": 1}
        await client.post(f"{url}/_sim/faults", json=rule)
        with pytest.raises(httpx.TransportError):
            await client.post(f"{url}/api/chat", json=CHAT)
        with pytest.raises(OSError, match="connect"):
            await connect(url)
        with trio.fail_after(3):
            while True:
                try:
                    await (await connect(url)).aclose()
                    break
                except OSError:
                    await trio.sleep(0.02)


async def test_refusal_can_be_ended_by_the_control(start_server: Any) -> None:
    """A connection that was there before clears the fault."""
    url = await start_server()
    async with (
        httpx.AsyncClient(trust_env=False) as keeper,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        await keeper.get(f"{url}/_sim/state")
        await client.post(f"{url}/_sim/faults", json={"fault": {"kind": "refuse"}})
        with pytest.raises(httpx.TransportError):
            await client.post(f"{url}/api/chat", json=CHAT)
        with pytest.raises(httpx.ConnectError):
            await client.get(url)
        await keeper.delete(f"{url}/_sim/faults")
        with trio.fail_after(3):
            while True:
                try:
                    assert (await client.get(url)).status_code == 200
                    break
                except httpx.ConnectError:
                    await trio.sleep(0.01)


EXPECTED = {
    "reset": httpx.ReadError,
    "half_close": httpx.RemoteProtocolError,
    "truncated_chunk": httpx.RemoteProtocolError,
    "wrong_length": httpx.RemoteProtocolError,
    "header_bomb": httpx.RemoteProtocolError,
    "restart": httpx.ReadError,
    "stall": httpx.ReadTimeout,
}


@pytest.mark.parametrize("kind", EXPECTED)
async def test_faults_as_a_client_sees_them(start_server: Any, kind: str) -> None:
    """Each fault of the connection is, to httpx, the exception that a real one would be."""
    url = await start_server()
    async with httpx.AsyncClient(trust_env=False, timeout=0.2) as client:
        fault = {"kind": kind, "after_tokens": 0 if kind == "restart" else 3, "count": 1000}
        await client.post(f"{url}/_sim/faults", json={"fault": fault})
        with pytest.raises(EXPECTED[kind]):
            await client.post(f"{url}/api/chat", json=CHAT)
        await client.delete(f"{url}/_sim/faults")
        assert (await client.post(f"{url}/api/chat", json=CHAT)).text.count("\n") > 3
    await wait_state(url, in_flight=0)


async def test_gzip_and_huge_line_as_a_client_sees_them(start_server: Any) -> None:
    """What is legal, if unexpected, arrives whole."""
    url = await start_server()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{url}/_sim/faults", json={"fault": {"kind": "gzip"}})
        answer = await client.post(f"{url}/api/chat", json=CHAT)
        assert answer.headers["content-encoding"] == "gzip"
        assert '"done":true' in answer.text
        huge = {"fault": {"kind": "huge_line", "count": 3_000_000}}
        await client.post(f"{url}/_sim/faults", json=huge)
        answer = await client.post(f"{url}/api/chat", json=CHAT)
        assert max(map(len, answer.content.split(b"\n"))) == 3_000_000 - 1


async def test_a_huge_line_waits_for_its_reader(
    start_server: Any, monkeypatch: pytest.MonkeyPatch, connect: Any
) -> None:
    """Filler is made as it is read: a slow reader of a line of 1 GiB costs little memory."""
    made: list[connection.Connection] = []
    begin = connection.Connection.begin

    def spy(self: connection.Connection, exchange: Any) -> None:
        made.append(self)
        begin(self, exchange)

    monkeypatch.setattr(connection.Connection, "begin", spy)
    url = await start_server()
    async with httpx.AsyncClient(trust_env=False) as client:
        huge = {"fault": {"kind": "huge_line", "count": 2**30}}
        await client.post(f"{url}/_sim/faults", json=huge)
    stream = await connect(url)
    await stream.send_all(raw("POST", "/api/chat", CHAT))
    await stream.receive_some(1000)
    await trio.sleep(0.1)
    before = sum(len(one._out) for one in made)
    assert 0 < before < 2**20
    received = 0
    with trio.fail_after(5):
        while received < 2**25:
            received += len(await stream.receive_some(1 << 20))
    assert sum(len(one._out) for one in made) < 2**20
    await stream.aclose()
    await wait_state(url, in_flight=0)


async def test_restart_cuts_idle_connections_too(start_server: Any, connect: Any) -> None:
    """A kept-alive connection ends with the restart."""
    url = await start_server()
    stream = await connect(url)
    await stream.send_all(raw("GET", "/"))
    await read_until(stream, b"running")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(f"{url}/_sim/restart")).json() == {"restarted": True}
    with trio.fail_after(2):
        assert await stream.receive_some() == b""


async def test_a_defect_in_a_route_does_not_end_the_server(
    start_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an empty 500, the log the traceback, the others their answers."""
    url = await start_server()

    def fail(_self: Simulator) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Simulator, "statistics", fail)
    async with httpx.AsyncClient(trust_env=False) as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.get(f"{url}/_sim/state")
        assert (answer.status_code, answer.content) == (500, b"")
        assert (await client.get(url)).text == "Ollama is running"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("sent", [True, False])
async def test_a_defect_in_a_stream_ends_that_stream_alone(
    start_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    sent: bool,
) -> None:
    """Its connection is cut, or it gets an empty 500; the log has it; the others go on."""
    url = await start_server(num_parallel=1)
    fire, calls = Generation.fire, []

    def fail_once(self: Generation, now: float) -> float | None:
        calls.append(self)
        if len(calls) == (3 if sent else 1):
            raise ZeroDivisionError
        return fire(self, now)

    monkeypatch.setattr(Generation, "fire", fail_once)
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        with caplog.at_level(logging.ERROR):
            if sent:
                with pytest.raises(httpx.ReadError):
                    await client.post(f"{url}/api/chat", json=CHAT)
            else:
                broken = await client.post(f"{url}/api/chat", json=CHAT)
                assert (broken.status_code, broken.content) == (500, b"")
            assert '"done":true' in (await client.post(f"{url}/api/chat", json=CHAT)).text
    assert "ZeroDivisionError" in caplog.text
    state = await wait_state(url, in_flight=0)
    assert (state["failed"], state["finished"], state["generations_aborted"]) == (1, 1, 1)


@pytest.mark.parametrize("part", ["_prepare", "_begin", "_end"])
@pytest.mark.parametrize("job", [TextJob, EmbedJob])
async def test_a_defect_in_a_job_ends_that_job_alone(
    start_server: Any, monkeypatch: pytest.MonkeyPatch, job: Any, part: str
) -> None:
    """Wherever it is, the client is not left waiting, and the slot is free again."""
    url = await start_server(num_parallel=1)
    kept, failed = getattr(job, part), []

    def fail_once(self: Any, *args: Any) -> Any:
        if failed:
            return kept(self, *args)
        failed.append(self)
        raise ZeroDivisionError

    monkeypatch.setattr(job, part, fail_once)
    path, body = "chat", {**CHAT, "stream": False}
    if job is EmbedJob:
        path, body = "embed", {"model": "nomic-embed-text", "input": "x"}
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        assert (await client.post(f"{url}/api/{path}", json=body)).status_code == 500
        assert (await client.post(f"{url}/api/{path}", json=body)).status_code == 200
    await wait_state(url, in_flight=0, slot_line=0, load_line=0)


async def test_cancelling_cuts_every_connection_at_once(connect: Any) -> None:
    """Leaving the nursery ends the server in the middle of a stream."""
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[str]) -> None:
            await serve(SimulatorConfig(load_s=0.0, **LONG), task_status=task_status)

        url = await nursery.start(run)
        stream = await connect(url)
        await stream.send_all(raw("POST", "/api/chat", CHAT))
        await stream.receive_some(100)
        began = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began < 0.2
    with trio.fail_after(2), pytest.raises(trio.BrokenResourceError):
        await read_until(stream, b"never")
    await stream.aclose()


async def test_a_port_in_use_is_an_error(start_server: Any) -> None:
    """The address that cannot be bound is told at once."""
    port = int((await start_server()).rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        await serve(SimulatorConfig(), port=port)


async def test_ipv6(nursery: trio.Nursery) -> None:
    """A server can listen on ::1; its URL has the brackets."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")

    async def run(*, task_status: trio.TaskStatus[str]) -> None:
        await serve(SimulatorConfig(), host="::1", task_status=task_status)

    try:
        url = await nursery.start(run)
    except OSError:
        pytest.skip("::1 cannot be bound here")
    assert url.startswith("http://[::1]:")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).status_code == 200
    await wait_all_tasks_blocked()
