"""Requests out of bytes."""

from __future__ import annotations

import pytest

from triollama_adapters.simulator import http
from triollama_adapters.simulator.http import RequestReader
from triollama_adapters.simulator.response import Request

POST = b"POST /api/chat?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_whole_and_in_pieces(step: int) -> None:
    """Requests in a row are the same however the bytes are cut."""
    data = POST + GET + CHUNKED
    reader = RequestReader()
    found = [r for at in range(0, len(data), step) for r in reader.feed(data[at : at + step])]
    assert found == [
        Request("POST", "/api/chat?x=1", b"hello"),
        Request("GET", "/"),
        Request("POST", "/a", b"abcde"),
    ]


def test_versions_and_closing() -> None:
    """HTTP/1.0 closes unless it asks otherwise; HTTP/1.1 keeps unless it asks otherwise."""
    (old,) = RequestReader().feed(b"GET / HTTP/1.0\r\n\r\n")
    assert (old.is_http10, old.keep_alive) == (True, False)
    (closing,) = RequestReader().feed(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert not closing.keep_alive


def test_absolute_target() -> None:
    """What a client sends to a proxy is understood."""
    (request,) = RequestReader().feed(b"GET http://h:1/api/tags HTTP/1.1\r\nHost: h\r\n\r\n")
    assert request.target == "/api/tags"


def test_expect_continue() -> None:
    """A client that waits for leave to send its body is seen."""
    reader = RequestReader()
    assert not reader.feed(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert reader.wants_continue
    assert len(reader.feed(b"x")) == 1
    assert not reader.wants_continue


@pytest.mark.parametrize(
    "data", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_no_http(data: bytes) -> None:
    """What is no HTTP is status 400; what came whole before it is a request all the same."""
    reader = RequestReader()
    assert reader.feed(GET + data) == [Request("GET", "/")]
    assert reader.refused == 400
    assert reader.feed(GET) == []


@pytest.mark.parametrize("step", [1, 1000])
def test_an_upgrade_is_ignored(step: int) -> None:
    """A client that offers HTTP/2 on a plain connection is answered in HTTP/1.1, also later."""
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\nHost:"
    data = (POST + GET + CHUNKED).replace(b"Host:", offer)
    reader = RequestReader()
    found = [r for at in range(0, len(data), step) for r in reader.feed(data[at : at + step])]
    assert [(request.method, request.body) for request in found] == [
        ("POST", b"hello"),
        ("GET", b""),
        ("POST", b"abcde"),
    ]
    assert all(request.keep_alive for request in found)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head or body beyond its limit is refused with the status for it."""
    monkeypatch.setattr(http, "HEAD_BYTES_MAX", 64)
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 4)
    for data, status in (
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 64, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 413),
    ):
        reader = RequestReader()
        assert reader.feed(data) == []
        assert reader.refused == status
    assert RequestReader().feed(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nhell")


@pytest.mark.parametrize("step", [1, 1000])
def test_connect_is_a_request_as_others(step: int) -> None:
    """Nobody is connected to anything; what stands behind it is read."""
    data = b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n" + GET
    reader = RequestReader()
    found = [r for at in range(0, len(data), step) for r in reader.feed(data[at : at + step])]
    assert [request.method for request in found] == ["CONNECT", "GET"]


BLOB = b"POST /api/blobs/sha256:1 HTTP/1.1\r\nHost: h\r\n"


def test_a_blob_is_hashed_and_not_kept() -> None:
    """Its request has what was hashed, and no body."""
    (request,) = RequestReader().feed(BLOB + b"Content-Length: 3\r\n\r\nabc")
    assert request.upload is not None
    assert (request.body, request.upload.size, request.upload.head) == (b"", 3, b"abc")
    assert request.upload.digest.startswith("sha256:ba7816bf")


@pytest.mark.parametrize(
    ("framing", "size"),
    [(b"Content-Length: 300000", 0), (b"Transfer-Encoding: chunked", 300_000)],
)
def test_a_blob_that_is_there_is_not_waited_for(framing: bytes, size: int) -> None:
    """A long body is answered before its end, and the connection closes; a short one is read."""
    reader = RequestReader(lambda path: path == "/api/blobs/sha256:1")
    body = b"%x\r\n%b\r\n" % (size, bytes(size)) if size else b""
    (request,) = reader.feed(BLOB + framing + b"\r\n\r\n" + body)
    assert not request.keep_alive
    assert reader.feed(b"1000\r\n" + bytes(0x1000) + b"\r\n" if size else bytes(299_999)) == []
    short = RequestReader(lambda _path: True)
    head = BLOB + b"Content-Length: 3\r\n\r\n"
    assert short.feed(head + b"ab") == []
    (whole, after) = short.feed(b"c" + GET)
    assert (whole.keep_alive, after.target) == (True, "/")
