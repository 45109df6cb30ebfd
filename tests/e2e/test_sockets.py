"""Whole paths over real sockets: faults on the wire, and cancellation at every await."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

import attrs
import pytest
import trio

from triollama import (
    ConnectError,
    DeadlineExceededError,
    EndpointConfig,
    EndpointError,
    EngineConfig,
    EngineError,
    FleetUnavailableError,
    Outcome,
    ProbeConfig,
    ProtocolError,
    StreamBrokenError,
    open_engine,
)
from triollama_adapters.simulator import Fault, FaultRule
from triollama_adapters.simulator.server import Server

QUESTION = ("llama3.2", "why?")
STEPS_MAX = 400
SILENT = EngineConfig(probe=ProbeConfig(enabled=False))
ONCE = EngineConfig(attempts_max=1, probe=ProbeConfig(enabled=False))

FAULTS: dict[str, dict[str, Any]] = {
    "refuse": {"kind": "refuse"},
    "reset": {"kind": "reset", "after_bytes": 0},
    "reset in the head": {"kind": "reset", "after_bytes": 40},
    "500": {"kind": "status", "status": 500},
    "busy": {"kind": "status", "status": 503, "text": "server busy"},
    "429": {"kind": "status", "status": 429, "retry_after": "1"},
    "stall": {"kind": "stall"},
    "garbage": {"kind": "garbage_line"},
    "gzip": {"kind": "gzip"},
    "redirect": {"kind": "redirect"},
    "header bomb": {"kind": "header_bomb", "count": 400},
    "half close": {"kind": "half_close"},
    "cut chunk": {"kind": "truncated_chunk"},
    "error line": {"kind": "error_line"},
}


def break_(server: Server, **fault: Any) -> None:
    """Put a fault in force."""
    server.simulator.faults.set((FaultRule(fault=Fault(**fault)),))


async def settle(engine: Any, *servers: Server) -> None:
    """Wait until nothing is under way any more; fails if that does not come soon."""
    with trio.fail_after(2):
        while True:
            now = engine.statistics()
            in_use = [
                each.in_use
                for transport in engine._runtime._transports.values()
                for each in transport.statistics().values()
            ]
            busy = [server.simulator.statistics().in_flight for server in servers]
            workers = len(engine._runtime.streams._workers)
            if not any([now.waiting, now.running, workers, *in_use, *busy]):
                return
            await trio.sleep(0.001)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_before_the_first_token_is_not_seen(
    serve: Callable[..., Server], fault: str
) -> None:
    """On real sockets too another server answers, and no connection is left in use."""
    broken, well = serve(), serve()
    config = EngineConfig(first_token_s=0.1)
    second = EndpointConfig(well.url, weight=1e-6)  # asked when the first has failed
    async with open_engine(broken.url, second, config=config) as engine:
        whole = (await engine.chat(*QUESTION)).content
        break_(broken, **FAULTS[fault])
        async with engine.stream_chat(*QUESTION) as stream:
            assert "".join([chunk.content async for chunk in stream]) == whole
        *failed, last = stream.attempts
        # On a connection that was used before, a reset at once may only mean that it was stale.
        for attempt in failed:
            assert attempt.why not in {Outcome.DONE, Outcome.REJECTED, Outcome.MODEL_MISSING}
        assert failed
        assert last.why is Outcome.DONE
        await settle(engine, broken, well)


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "refuse"])
async def test_a_fault_after_some_tokens_is_told(serve: Callable[..., Server], fault: str) -> None:
    """To one who wants to know, a late fault is a typed error after a prefix of the text."""
    server = serve()
    config = EngineConfig(first_token_s=0.1, stall_s=0.1, attempts_max=1)
    async with open_engine(server.url, config=config) as engine:
        whole = (await engine.chat(*QUESTION)).content
        break_(server, **(FAULTS[fault] | {"after_tokens": 3, "after_bytes": None}))
        text = ""
        async with engine.stream_chat(*QUESTION, on_break="raise") as stream:
            with pytest.raises((StreamBrokenError, FleetUnavailableError)):
                async for chunk in stream:
                    text += chunk.content
        assert whole.startswith(text)
        assert stream.chunks in {0, 3}
        await settle(engine, server)


HTML = b"<!DOCTYPE html><html><body>It works!</body></html>"


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
@pytest.mark.parametrize("is_closing", [False, True])
async def test_a_server_that_is_not_ollama(
    serve_raw: Callable[..., Awaitable[str]], status: bytes, *, is_closing: bool
) -> None:
    """Every method says so, in one line, without the page; the connections are closed."""

    async def answer(stream: trio.SocketStream, _: bytes) -> bool:
        lines = [b"HTTP/1.1 " + status, b"Content-Type: text/html"]
        if not is_closing:
            lines.append(b"Content-Length: %d" % len(HTML))
        await stream.send_all(b"\r\n".join([*lines, b"", HTML]))
        return not is_closing

    async with open_engine(await serve_raw(answer), config=ONCE) as engine:
        for ask in (
            lambda: engine.chat(*QUESTION),
            lambda: engine.generate(*QUESTION),
            lambda: engine.embed(*QUESTION),
            engine.version,
            engine.tags,
            engine.ps,
            lambda: engine.show("llama3.2"),
            lambda: engine.load("llama3.2"),
        ):
            with pytest.raises((FleetUnavailableError, ProtocolError)) as caught:
                await ask()
            assert "Ollama" in str(caught.value)
            assert "<body>" not in str(caught.value)
        await settle(engine)


async def test_a_page_without_end(serve_raw: Callable[..., Awaitable[str]]) -> None:
    """What is no answer is not read to its end, and its connection is closed at once."""
    is_gone = trio.Event()

    async def answer(stream: trio.SocketStream, _: bytes) -> bool:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        try:
            while True:
                await stream.send_all(bytes(65_536))
        finally:
            is_gone.set()

    async with open_engine(await serve_raw(answer), config=ONCE) as engine:
        with pytest.raises(FleetUnavailableError, match="text/html"):
            await engine.chat(*QUESTION)
        await settle(engine)
        with trio.fail_after(2):
            await is_gone.wait()


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize("size", [10, 40_000])
@pytest.mark.parametrize("is_left", [True, False])
async def test_an_error_without_end(
    serve_raw: Callable[..., Awaitable[str]], status: int, size: int, *, is_left: bool
) -> None:
    """A request that ends while the text of an error comes is not judged by half of it."""

    async def answer(stream: trio.SocketStream, _: bytes) -> bool:
        head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
        await stream.send_all(head % status + b'{"err')
        await trio.sleep_forever()
        return False

    question = ("llama3.2", "x" * size)
    async with open_engine(await serve_raw(answer), config=ONCE) as engine:
        async with engine.stream_chat(*question, deadline_s=None if is_left else 0.2) as stream:
            if is_left:
                await trio.sleep(0.2)
            else:
                with pytest.raises(DeadlineExceededError):
                    await stream.collect()
        assert [attempt.why for attempt in stream.attempts] == [Outcome.UNUSED]
        assert engine.statistics().cancelled == int(is_left)
        assert engine.statistics().endpoints[0].failures_in_row == 0
        await settle(engine)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: x\r\n\r\n",
        b"HTTP/9.9 999\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"",
    ],
)
async def test_a_server_that_is_not_http(
    serve_raw: Callable[..., Awaitable[str]], answer: bytes
) -> None:
    """Any other protocol is a typed failure."""

    async def script(stream: trio.SocketStream, _: bytes) -> bool:
        await stream.send_all(answer)
        return False

    async with open_engine(await serve_raw(script), config=ONCE) as engine:
        with pytest.raises(FleetUnavailableError) as caught:
            await engine.chat(*QUESTION)
        assert isinstance(caught.value.causes[0], EndpointError)
        await settle(engine)


async def test_nobody_is_there() -> None:
    """A port that refuses and a host that does not exist, each named."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_engine(f"http://127.0.0.1:{port}", "http://nowhere.invalid:1") as engine:
        with pytest.raises(FleetUnavailableError) as caught:
            await engine.chat(*QUESTION)
        causes = [cause for cause in caught.value.causes if isinstance(cause, ConnectError)]
        assert len(causes) == len(caught.value.causes)
        assert "nowhere.invalid:1" in {cause.endpoint for cause in causes}


async def test_headers_reach_the_server(serve_raw: Callable[..., Awaitable[str]]) -> None:
    """An endpoint's own headers are sent with every request, and ours are right."""
    heads: list[bytes] = []

    async def script(stream: trio.SocketStream, head: bytes) -> bool:
        heads.append(head)
        body = b'{"version":"1"}'
        await stream.send_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            b"%d\r\n\r\n" % len(body) + body
        )
        return True

    url = await serve_raw(script)
    endpoint = EndpointConfig(url, headers={"Authorization": "Bearer k", "user-agent": "mine"})
    async with open_engine(endpoint, config=SILENT) as engine:
        assert (await engine.version()).version == "1"
    [head] = heads
    lines = head.split(b"\r\n")
    assert b"Authorization: Bearer k" in lines
    assert b"user-agent: mine" in lines
    assert b"Accept-Encoding: identity" in lines
    assert head.lower().count(b"\r\nuser-agent:") == 1
    assert head.lower().count(b"\r\nhost:") == 1


async def test_connections_are_used_again(serve: Callable[..., Server]) -> None:
    """One after the other, a hundred requests need one connection; and it is closed when idle."""
    server = serve(answer_tokens_min=1, answer_tokens_max=1)
    async with open_engine(server.url, config=attrs.evolve(SILENT, idle_s=0.05)) as engine:
        for _ in range(100):
            await engine.chat(*QUESTION)
        [transport] = engine._runtime._transports.values()
        [counts] = transport.statistics().values()
        assert (counts.opened, counts.reused) == (1, 99)
        with trio.fail_after(2):
            while server.simulator.statistics().connections:
                await trio.sleep(0.005)


async def test_a_server_that_restarts_between_requests_costs_nothing(
    serve: Callable[..., Server],
) -> None:
    """Connections that died while idle are noticed: the same server is asked again, unharmed."""
    server = serve()
    async with open_engine(server.url) as engine:
        for _ in range(5):
            await engine.chat(*QUESTION)
            server.simulator.restart(trio.current_time())
        [endpoint] = engine.statistics().endpoints
        assert endpoint.failures_in_row == 0
        assert engine.statistics().done == 5


async def _collect(engine: Any) -> str:
    answer = await engine.chat(*QUESTION)
    text: str = answer.content
    return text


async def _iterate(engine: Any) -> str:
    async with engine.stream_chat(*QUESTION) as stream:
        return "".join([chunk.content async for chunk in stream])


@pytest.mark.parametrize("ask", [_collect, _iterate])
@pytest.mark.parametrize("is_warm", [False, True])
async def test_cancelled_at_every_await(
    serve: Callable[..., Server],
    count_descriptors: Callable[[], int],
    ask: Callable[[Any], Awaitable[str]],
    *,
    is_warm: bool,
) -> None:
    """Leases, sockets and tasks are back, the server has stopped, the next request works."""
    server = serve(answer_tokens_min=6, answer_tokens_max=6, decode_tokens_per_s=500.0)
    descriptors: int | None = None
    for step in range(1, STEPS_MAX):
        config = EngineConfig(grace_s=0)
        async with open_engine(server.url, config=config) as engine:
            if is_warm:
                await ask(engine)
            with _CancelAtStep(step) as scope:
                await ask(engine)
            assert engine.statistics().running == 0
            await settle(engine, server)
            assert await ask(engine)
        while server.simulator.statistics().connections:
            await trio.sleep(0.0005)
        descriptors = descriptors or count_descriptors()
        assert count_descriptors() == descriptors
        if not scope.cancelled_caught:
            break
    assert 1 < step < STEPS_MAX - 1


class _CancelAtStep(trio.abc.Instrument):
    def __init__(self, step: int) -> None:
        self.scope = trio.CancelScope()
        self._left = step
        self._task = trio.lowlevel.current_task()

    def __enter__(self) -> trio.CancelScope:
        trio.lowlevel.add_instrument(self)
        return self.scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        trio.lowlevel.remove_instrument(self)
        return self.scope.__exit__(kind, error, traceback)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self.scope.cancel()


async def test_many_at_once(serve: Callable[..., Server]) -> None:
    """300 requests over three servers, some left, some broken: each has one outcome, none fails."""
    servers = [serve(decode_tokens_per_s=300.0) for _ in range(3)]
    break_(servers[0], kind="reset", after_tokens=10)
    outcomes: list[str] = []
    async with open_engine(*(server.url for server in servers)) as engine:

        async def ask(number: int) -> None:
            try:
                async with engine.stream_chat("llama3.2", f"question {number}") as stream:
                    async for _ in stream:
                        if number % 10 == 0:
                            outcomes.append("left")
                            return
                outcomes.append("done")
            except (EndpointError, EngineError):
                outcomes.append("failed")

        async with trio.open_nursery() as asking:
            for number in range(300):
                asking.start_soon(ask, number)
        await settle(engine, *servers)
        now = engine.statistics()
        assert len(outcomes) == 300
        assert now.accepted == 300 == now.done + now.failed + now.cancelled
        assert now.done >= outcomes.count("done") > 0
        assert now.failed == outcomes.count("failed") == 0
        assert now.cancelled <= outcomes.count("left") > 0
