"""Opening connections: what fails says what failed."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
import trio

from triollama.wire.dialing import Origin, dial


async def no_connection(origin: Origin) -> str:
    """The text of the error."""
    with pytest.raises(httpx.ConnectError) as caught:
        await dial(origin, reactor=None, tls=None)
    return str(caught.value)


async def test_a_refused_port_is_named(refused_port: int) -> None:
    """Host, port and reason, not an empty message or a group of errors."""
    text = await no_connection(Origin("http", "127.0.0.1", refused_port))
    assert text == "no connection: Connection refused"


async def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's own words follow the name."""

    class Unknown(trio.abc.HostnameResolver):
        async def getaddrinfo(self, *_: object) -> list[object]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        async def getnameinfo(self, *_: object) -> tuple[str, str]:
            raise NotImplementedError

    trio.socket.set_custom_hostname_resolver(Unknown())
    text = await no_connection(Origin("http", "gpu-1.invalid", 80))
    assert text == "the host 'gpu-1.invalid' is unknown: Name or service not known"


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".org", ""])
async def test_a_host_that_is_no_name_is_named(host: str) -> None:
    """What the resolver cannot even encode is an error of the same kind."""
    assert repr(host) in await no_connection(Origin("http", host, 80))


async def test_a_port_out_of_range_is_no_connection() -> None:
    """Port 99999 fails like any other that nobody listens on."""
    text = await no_connection(Origin("http", "127.0.0.1", 99_999))
    assert text.startswith("no connection: ")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_addresses_and_names_lead_to_the_same(host: str) -> None:
    """An address is taken directly, a name by way of trio's look-up; both do not wait to send."""
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind(("" if host == "localhost" else host, 0))
        listener.listen()
        port = listener.getsockname()[1]
        connection = await dial(Origin("http", host, port), reactor=None, tls=None)
        accepted, _ = listener.accept()
        with accepted:
            await connection.send(b"x")
            assert accepted.recv(1) == b"x"
            stream = cast("Any", connection)._stream
            assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        connection.close()


async def test_what_hangs_can_be_cancelled(count_descriptors: Callable[[], int]) -> None:
    """A listener whose backlog is full answers nothing; no descriptor is left."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        origin = Origin("http", *listener.getsockname())
        filling = [socket.socket() for _ in range(8)]
        for each in filling:
            each.settimeout(0.0)
            each.connect_ex((origin.host, origin.port))
        before = count_descriptors()
        with trio.move_on_after(0.05) as scope:
            await dial(origin, reactor=None, tls=None)
        assert scope.cancelled_caught
        assert count_descriptors() == before
        for each in filling:
            each.close()


async def test_who_is_cancelled_already_opens_nothing() -> None:
    """Not even where a connection would not wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.0)
        with trio.CancelScope() as scope:
            scope.cancel()
            await dial(Origin("http", *listener.getsockname()), reactor=None, tls=None)
        assert scope.cancelled_caught
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_an_ipv6_origin_is_written_with_brackets() -> None:
    """So that the port can be told from the address."""
    assert str(Origin("http", "::1", 80)) == "[::1]:80"
    assert str(Origin("http", "gpu-1", 80)) == "gpu-1:80"


@pytest.mark.parametrize("bench", ["reactor", "task"], indirect=True)
async def test_ipv6_works(bench: Any, client_of: Any) -> None:
    """An address in brackets reaches a server that listens on ``::1`` only."""
    try:
        [listener] = await trio.open_tcp_listeners(0, host="::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, answer, [listener])
        client = client_of(bench.transport(), f"http://[::1]:{port}")
        assert await client.post() == b"x"
        assert list(client.transport.statistics()) == [f"[::1]:{port}"]
        nursery.cancel_scope.cancel()


async def test_connecting_has_its_limit(
    bench: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not answer is a `ConnectTimeout`, and gives its place back."""

    async def never(*_: object, **__: object) -> trio.SocketStream:
        await trio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(trio, "open_tcp_stream", never)
    client = client_of(bench.transport(), "http://gpu-1")
    with pytest.raises(httpx.ConnectTimeout, match=re.escape("connect took longer than 0.01 s")):
        await client.post(timeout={"connect": 0.01})
    assert client.connections.in_use == 0
    assert list(client.transport.statistics()) == ["gpu-1:80"]


async def test_other_schemes_are_refused(bench: Any, client_of: Any) -> None:
    """Neither FTP nor a bare name is an endpoint."""
    with pytest.raises(httpx.UnsupportedProtocol, match="'ftp'"):
        await client_of(bench.transport(), "ftp://gpu-1").post()
