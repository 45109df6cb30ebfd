"""Each way in which a server fails has its outcome, and what had come until then."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import Any

import pytest
import trio
import trustme

from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.sample import Outcome
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets import direct, reading
from triollama_adapters.simulator import Fault, FaultRule

NEVER: dict[str, Any] = {"seconds": None}
FAULTS: list[tuple[dict[str, Any], Outcome]] = [
    ({"kind": "reset", "after_tokens": 2}, "lost"),
    ({"kind": "half_close", "after_tokens": 2}, "lost"),
    ({"kind": "truncated_chunk", "after_tokens": 2}, "lost"),
    ({"kind": "missing_done"}, "truncated"),
    ({"kind": "error_line", "after_tokens": 2}, "error_in_stream"),
    ({"kind": "garbage_line", "after_tokens": 2}, "error_in_stream"),
    ({"kind": "status", "status": 429}, "http_429"),
    ({"kind": "status", "status": 503, "text": "server busy, please try again."}, "queue_503"),
    ({"kind": "status", "status": 503, "text": "it is broken"}, "http_5xx"),
    ({"kind": "status", "status": 500}, "http_5xx"),
    ({"kind": "status", "status": 400}, "http_4xx"),
    ({"kind": "redirect"}, "http_4xx"),
    ({"kind": "gzip"}, "lost"),
    ({"kind": "header_bomb"}, "lost"),
    ({"kind": "double_done"}, "ok"),
    ({"kind": "informational"}, "ok"),
]


@pytest.mark.parametrize(("fault", "outcome"), FAULTS, ids=[str(each[0]) for each in FAULTS])
@pytest.mark.parametrize("api", ["chat", "openai"])
async def test_faults(
    open_bench: Any, open_server: Any, fault: dict[str, Any], outcome: Outcome, api: Api
) -> None:
    """And the next request is answered."""
    if api == "openai" and fault["kind"] == "error_line":
        outcome = "truncated"  # the server swallows it: there is no end, and no word
    if api == "openai" and fault["kind"] == "garbage_line":
        pytest.skip("a line that is no event is a comment")
    async with open_server() as server, open_bench(server.url, api=api) as bench:
        server.simulator.faults.set((FaultRule(fault=Fault(**fault), times=1),))
        sample = await bench.ask()
        assert sample.outcome == outcome
        assert bool(sample.detail) == (outcome != "ok")
        assert 0 < sample.sent_ns <= sample.ended_ns
        if "after_tokens" in fault:
            assert sample.chunks == 2
            assert (sample.done_ns, sample.is_timed) == (0, False)
        assert (await bench.ask()).outcome == "ok"


@pytest.mark.parametrize(
    ("limit", "fault", "outcome"),
    [
        ({"first_token_s": 0.05}, {"kind": "stall"} | NEVER, "first_token_timeout"),
        ({"stall_s": 0.05}, {"kind": "stall", "after_tokens": 2} | NEVER, "stall"),
        ({"total_s": 0.05}, {"kind": "stall", "after_tokens": 2} | NEVER, "total_timeout"),
        ({"total_s": 0.05}, {"kind": "stall"} | NEVER, "total_timeout"),
    ],
)
async def test_clocks(
    open_bench: Any,
    open_server: Any,
    limit: dict[str, float],
    fault: dict[str, Any],
    outcome: Outcome,
) -> None:
    """Each runs out by itself, and says which it was; the server is told by its socket."""
    async with open_server() as server, open_bench(server.url, **limit) as bench:
        server.simulator.faults.set((FaultRule(fault=Fault(**fault), times=1),))
        sample = await bench.ask()
        assert sample.outcome == outcome
        assert "0.05 s" in sample.detail
        assert sample.ended_ns - sample.sent_ns > 50_000_000
        assert (await bench.ask()).outcome == "ok"


async def test_tokens_hold_the_stall_clock_off(open_bench: Any, open_server: Any) -> None:
    """An answer takes longer than the clock, and no gap of it does."""
    async with (
        open_server(decode_tokens_per_s=50.0) as server,
        open_bench(server.url, stall_s=0.1, first_token_s=0.1) as bench,
    ):
        session = Session(0, None, "s", "llama3.2", (Turn("why?", num_predict=10),))
        assert (await bench.ask(session)).outcome == "ok"


async def test_a_whole_answer_whose_body_does_not_end(
    open_bench: Any, open_script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is whole all the same; its connection is not waited for for ever."""
    monkeypatch.setattr("triollama_adapters.loadtest.targets.watch.LINGER_NS", 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99\r\n\r\n"
    async with (
        open_script(head + b'{"done":true}\n', closes=False) as url,
        open_bench(url, stall_s=0.5) as bench,
    ):
        sample = await bench.ask()
        assert sample.outcome == "ok"
        assert sample.done_ns > 0


async def test_nobody_listens(open_bench: Any) -> None:
    """A refused connection was never sent anything."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with open_bench(url) as bench:
            sample = await bench.ask()
    assert sample.outcome == "connect"
    assert "refused" in sample.detail
    assert (sample.sent_ns, sample.first_ns) == (0, 0)
    assert sample.ended_ns > 0


async def test_a_connection_that_takes_too_long(
    open_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a clock of its own."""

    async def dial(*_: object, **__: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr("triollama.wire.transport.dial", dial)
    async with open_bench("http://127.0.0.1:9", connect_s=0.02) as bench:
        sample = await bench.ask()
    assert sample.outcome == "connect"
    assert "0.02" in sample.detail


async def test_no_descriptor_left_is_our_fault(
    open_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the server's."""

    def no_socket(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("triollama.wire.dialing.socket.socket", no_socket)
    async with open_bench("http://127.0.0.1:9") as bench:
        sample = await bench.ask()
    assert sample.outcome == "client"
    assert "open files" in sample.detail


async def test_no_tls(open_bench: Any, open_server: Any) -> None:
    """A plain server under an ``https`` address."""
    async with open_server() as server:
        async with open_bench(server.url.replace("http", "https")) as bench:
            sample = await bench.ask()
    assert sample.outcome == "tls"


async def test_a_certificate_that_nobody_signed(open_bench: Any) -> None:
    """Certificates are always checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    async def hang_up(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with stream.transport_stream.socket:
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                return

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(
            partial(trio.serve_ssl_over_tcp, hang_up, 0, context, host="127.0.0.1")
        )
        port = listener.transport_listener.socket.getsockname()[1]
        async with open_bench(f"https://localhost:{port}") as bench:
            sample = await bench.ask()
        nursery.cancel_scope.cancel()
    assert sample.outcome in {"tls", "connect"}


async def test_what_is_no_such_server(open_bench: Any, open_script: Any) -> None:
    """A page in place of an answer."""
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"
    async with open_script(page) as url, open_bench(url) as bench:
        sample = await bench.ask()
    assert sample.outcome == "error_in_stream"
    assert "text/html" in sample.detail


async def test_what_is_no_http(open_bench: Any, open_script: Any) -> None:
    """Noise in place of a head."""
    async with open_script(b"SSH-2.0-OpenSSH\r\n") as url, open_bench(url) as bench:
        assert (await bench.ask()).outcome == "lost"


async def test_a_refusal_without_end(
    open_bench: Any, open_script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning is enough."""
    monkeypatch.setattr(reading, "ERROR_BYTES_MAX", 10)
    head = b"HTTP/1.1 500 Oh\r\nContent-Length: 1000000\r\n\r\n"
    async with open_script(head, b"x" * 20, closes=False) as url, open_bench(url) as bench:
        sample = await bench.ask()
    assert (sample.outcome, sample.detail) == ("http_5xx", "500: xxxxxxxxxx")


async def test_the_engine_goes_on_elsewhere(open_bench: Any, open_server: Any) -> None:
    """With the engine's routing a break is no failure, and is told."""
    async with open_server() as one, open_server() as other:
        for server in (one, other):
            fault = Fault(kind="reset", after_tokens=2)
            server.simulator.faults.set((FaultRule(fault=fault, nth=(1,)),))
        async with open_bench(one.url, other.url, routing="engine") as bench:
            sample = await bench.ask()
    assert sample.outcome == "ok"
    assert sample.continued >= 1
    assert sample.chunks == sample.output_tokens == 4
    # The attempt that broke is in the engine's line, which ends after the first token came.
    assert sample.scheduled_ns <= sample.queued_ns < sample.first_ns < sample.sent_ns


async def test_the_engine_gives_up(open_bench: Any, open_server: Any) -> None:
    """What it raises is an outcome."""
    async with open_server() as server, open_bench(server.url, routing="engine") as bench:
        server.simulator.faults.set((FaultRule(fault=Fault(kind="status", status=400)),))
        assert (await bench.ask()).outcome == "http_4xx"


async def test_a_defect_of_ours_is_the_clients(
    open_bench: Any, open_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends one request, and not the run."""

    def encode(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(direct, "encode_body", encode)
    async with open_server() as server, open_bench(server.url) as bench:
        sample = await bench.ask()
        assert (sample.outcome, sample.detail) == ("client", "ZeroDivisionError")
