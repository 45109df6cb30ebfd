"""HTTP/1.1 without IO: every case whole, byte by byte, and split at random."""

from __future__ import annotations

import itertools
import tracemalloc

import attrs
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triollama.wire.http1 import (
    HEADER_BLOCK_BYTES_MAX,
    CutShortError,
    ResponseReader,
    encode_head,
)

# Multiples of the profile's count, so that a nightly profile scales them.
many = settings(max_examples=10 * settings.default.max_examples, deadline=None)
more = settings(max_examples=60 * settings.default.max_examples, deadline=None)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@attrs.frozen
class Read:
    """What came of a response. Which of two errors is seen first may depend on the split."""

    status: int | None
    headers: list[tuple[bytes, bytes]]
    body: bytes
    is_complete: bool
    can_reuse: bool
    error: str = attrs.field(default="", eq=bool)
    eof_error: str = ""


def read(pieces: list[bytes], **options: object) -> Read:
    """Feed all pieces; then, unless that failed, the end of the connection."""
    body: list[bytes] = []
    reader = ResponseReader(**options)
    error = eof_error = ""
    is_complete = can_reuse = False
    try:
        for piece in pieces:
            reader.feed(piece)
            body += reader.pieces
            reader.pieces.clear()
    except httpx.RemoteProtocolError as refused:
        body += reader.pieces
        error = str(refused)
    else:
        can_reuse = reader.can_reuse
        is_complete = reader.is_complete
        try:
            reader.feed_eof()
        except CutShortError as cut:
            eof_error = str(cut)
        assert not reader.can_reuse
    head = reader.head
    return Read(
        head.status if head else None,
        head.headers if head else [],
        b"".join(body),
        is_complete,
        can_reuse,
        error,
        eof_error,
    )


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` in pieces, cut at these places (modulo its length)."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def both_ways(data: bytes, **options: object) -> Read:
    """Read whole and byte by byte; both must come to the same."""
    whole = read([data], **options)
    assert read([data[i : i + 1] for i in range(len(data))], **options) == whole
    return whole


# ---- what must be understood

WHOLE = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nhi", b"hi"),
    "a length of zero": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "chunks": (CHUNKED + b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", b"hi!"),
    "chunks with extensions": (CHUNKED + b'2;a=b;c="d"\r\nhi\r\n0;e\r\n\r\n', b"hi"),
    "chunks with trailers": (
        CHUNKED + b"2\r\nhi\r\n0\r\nA: b\r\nContent-Encoding: gzip\r\n\r\n",
        b"hi",
    ),
    "chunks after no chunk": (CHUNKED + b"0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    "an interim response before": (
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + OK + b"Content-Length: 1\r\n\r\nx",
        b"x",
    ),
    "several interim responses before": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + CHUNKED + b"1\r\nx\r\n0\r\n\r\n",
        b"x",
    ),
    "HTTP/1.0 that is kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        b"x",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_response_is_read_and_its_connection_kept(case: str) -> None:
    """Every framing with an end of its own leaves the connection usable."""
    data, body = WHOLE[case]
    got = both_ways(data)
    assert (got.body, got.is_complete, got.can_reuse, got.error) == (body, True, True, "")
    assert all(name != b"A" for name, _ in got.headers)


LAST = {
    "until the end of the connection": (OK + b"\r\nabc", False, b"abc"),
    "until the end, after an interim response with a length": (
        b"HTTP/1.1 102 Processing\r\nContent-Length: 7\r\n\r\n" + OK + b"\r\nabc",
        False,
        b"abc",
    ),
    "nothing until the end": (OK + b"\r\n", False, b""),
    "Connection: close": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx", True, b"x"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", True, b"x"),
    "a second response": (
        OK + b"Content-Length: 1\r\n\r\nx" + OK + b"Content-Length: 1\r\n\r\ny",
        True,
        b"x",
    ),
    "a second response after chunks": (CHUNKED + b"1\r\nx\r\n0\r\n\r\n" + CHUNKED, True, b"x"),
    "more than the length": (OK + b"Content-Length: 1\r\n\r\nxyz", True, b"x"),
    "more after a farewell": (
        OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nxyz",
        True,
        b"x",
    ),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", True, b""),
    "a compressed second response": (
        OK + b"Content-Length: 0\r\n\r\n" + OK + b"Content-Encoding: gzip\r\n\r\n",
        True,
        b"",
    ),
}


@pytest.mark.parametrize("case", LAST)
def test_a_response_is_read_but_its_connection_is_not_kept(case: str) -> None:
    """The body is right and ends cleanly, yet the connection must not carry another request."""
    data, is_complete, body = LAST[case]
    got = both_ways(data)
    assert (got.body, got.error, got.eof_error) == (body, "", "")
    assert (got.is_complete, got.can_reuse) == (is_complete, False)


@pytest.mark.parametrize(
    "headers",
    [b"Content-Length: 12\r\n", b"Transfer-Encoding: chunked\r\n", b"", b"Content-Length: 0\r\n"],
)
@pytest.mark.parametrize("extra", [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n"])
def test_the_response_to_head_ends_with_its_head(headers: bytes, extra: bytes) -> None:
    """A length announced to HEAD is not waited for; what follows is dropped with the connection."""
    got = both_ways(OK + headers + b"\r\n" + extra, is_head_request=True)
    assert (got.status, got.body, got.is_complete, got.can_reuse) == (200, b"", True, False)


def test_headers_are_kept_as_sent() -> None:
    """Order, case and repetition survive."""
    got = both_ways(OK + b"X-a: 1\r\nx-A:  2 \r\nContent-Length: 0\r\n\r\n")
    assert got.headers[0] == (b"X-a", b"1")
    assert got.headers[1][0] == b"x-A"
    assert len(got.headers) == 3


def test_identity_is_no_compression() -> None:
    """A server that says ``identity`` sent what was asked for."""
    got = both_ways(OK + b"Content-Encoding: Identity\r\nContent-Length: 1\r\n\r\nx")
    assert got.body == b"x"


# ---- what must be refused

REFUSED = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "an HTML page": b"<html></html>",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\n\r\nbody",
    "status 099": b"HTTP/1.1 099 OK\r\n\r\nbody",
    "status 600": b"HTTP/1.1 600 OK\r\n\r\n",
    "a bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a folded header": OK + b"X: a\r\n b\r\n\r\n",
    "no colon": OK + b"what\r\n\r\n",
    "gzip": OK + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    "gzip on top of identity": OK + b"content-encoding: identity, gzip\r\n\r\n",
    "gzip as transfer encoding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n",
    "gzip as the only transfer encoding": OK + b"Transfer-Encoding: gzip\r\n\r\nx",
    "a switch of protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "an empty length": OK + b"Content-Length: \r\n\r\n",
    "a negative length": OK + b"Content-Length: -1\r\n\r\n",
    "a length that is no number": OK + b"Content-Length: 1x\r\n\r\n",
    "a length beyond 64 bits": OK + b"Content-Length: 99999999999999999999\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length and chunks": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"zz\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"fffffffffffffffff\r\n",
    "a chunk longer than its size": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "a trailer that frames": CHUNKED + b"2\r\nhi\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a chunk without line break": CHUNKED + b"2\r\nhi0\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_http_is_refused(case: str) -> None:
    """Nonsense, smuggling and compression end in an error, wherever the pieces are cut."""
    got = both_ways(REFUSED[case])
    assert got.error
    assert not got.can_reuse


def test_compression_is_named_in_the_error() -> None:
    """The text of the error says what the server did."""
    assert "identity" in both_ways(REFUSED["gzip"]).error


@pytest.mark.parametrize("kept", range(len(OK) + 30))
def test_a_connection_that_ends_early_is_an_error(kept: int) -> None:
    """Every truncation of a response with a length is noticed."""
    data = OK + b"Content-Length: 10\r\n\r\n0123456789"
    got = both_ways(data[: min(kept, len(data) - 1)])
    assert not got.error
    assert got.eof_error


@pytest.mark.parametrize("kept", range(len(b"5\r\nhello\r\n0\r\n\r\n")))
def test_a_truncated_chunk_is_an_error(kept: int) -> None:
    """A chunked body is whole only with its last chunk and the blank line."""
    got = both_ways(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"[:kept])
    assert got.eof_error == "the server closed the connection inside the body"


def test_what_came_before_an_error_is_there() -> None:
    """The body before a framing error, fed together with it, is not lost."""
    reader = ResponseReader()
    with pytest.raises(httpx.RemoteProtocolError, match="not a valid HTTP response"):
        reader.feed(CHUNKED + b"1\r\nx\r\nnonsense\r\n")
    assert reader.pieces == [b"x"]


# ---- limits


def padded(size: int, before: bytes = b"") -> bytes:
    """A head, `before` included, of exactly `size` bytes."""
    start = before + OK + b"Content-Length: 1\r\nX: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 9])
@pytest.mark.parametrize(("over", "is_fine"), [(-1, True), (0, True), (1, False)])
def test_the_header_block_has_a_limit(over: int, *, is_fine: bool, before: bytes) -> None:
    """16 KiB, interim responses counted, are read; one byte more is refused."""
    head = padded(HEADER_BLOCK_BYTES_MAX + over, before)
    got = both_ways(head + b"x")
    assert (got.body == b"x") is is_fine
    assert ("larger than the limit" in got.error) is not is_fine


def test_the_body_does_not_count_as_header() -> None:
    """A head within the limit may come in one piece with a body far beyond it."""
    got = read([OK + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000])
    assert len(got.body) == 70_000
    assert got.is_complete


BOMBS = {
    "one endless header": (OK + b"X: ", b"x" * 4096),
    "headers without end": (OK, b"X: y\r\n" * 700),
    "interim responses without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 200),
    "an endless status line": (b"HTTP/1.1 200 ", b"O" * 4096),
    "an endless trailer": (CHUNKED + b"0\r\nX: ", b"x" * 4096),
    "trailers without end": (CHUNKED + b"0\r\n", b"X: y\r\n" * 700),
    "an endless chunk extension": (CHUNKED + b"1;x=", b"x" * 4096),
}


def fed_error(reader: ResponseReader, data: bytes) -> str:
    """The text of the error, or nothing."""
    try:
        reader.feed(data)
        reader.pieces.clear()
    except httpx.RemoteProtocolError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_is_refused_early(case: str) -> None:
    """What never ends is refused after little more than the limit, and costs little memory."""
    start, more = BOMBS[case]
    reader = ResponseReader()
    tracemalloc.start()
    try:
        reader.feed(start)
        fed = 0
        error = ""
        while not error and fed < 1 << 20:
            error = fed_error(reader, more)
            fed += len(more)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "larger than the limit" in error
    assert fed <= HEADER_BLOCK_BYTES_MAX + len(more)
    # A header of six bytes is held as two objects in a tuple: the factor is the parser's.
    assert peak < 1 << 20


def test_many_small_chunks_are_no_bomb() -> None:
    """Chunk framing counts only as long as no body comes."""
    one = b"1\r\nx\r\n"
    got = read([CHUNKED, *[one * 1000] * 50, b"0\r\n\r\n"])
    assert len(got.body) == 50_000
    assert got.can_reuse


# ---- at random

tokens = st.text("abcXYZ-09", min_size=1, max_size=8).map(str.encode)
bodies = st.lists(st.binary(min_size=1, max_size=20), max_size=4)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A valid response whose connection is kept, and its body."""
    interim = b"HTTP/1.1 103 Hm\r\nA: b\r\n\r\n" * draw(st.integers(0, 2))
    pieces = draw(bodies)
    body = b"".join(pieces)
    extra = draw(st.lists(st.tuples(tokens, tokens), max_size=3))
    headers = b"".join(b"X-%s: %s\r\n" % each for each in extra)
    head = interim + b"HTTP/1.1 %d OK\r\n" % draw(st.sampled_from([200, 400, 404, 500, 503]))
    if draw(st.booleans()):
        return head + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body, body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    trailers = b"T: %s\r\n" % draw(tokens) if draw(st.booleans()) else b""
    framed = chunks + b"0\r\n" + trailers + b"\r\n"
    return head + headers + b"Transfer-Encoding: chunked\r\n\r\n" + framed, body


cut_places = st.lists(st.integers(0, 2000), max_size=8)


@many
@given(case=responses(), cuts=cut_places)
def test_any_split_of_a_valid_response_reads_the_same(
    case: tuple[bytes, bytes], cuts: list[int]
) -> None:
    """Invariant: whole ≡ byte by byte ≡ any split, and the body is the one that was sent."""
    data, body = case
    got = both_ways(data)
    assert (got.body, got.can_reuse, got.error) == (body, True, "")
    assert read(split(data, cuts)) == got


def damage(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Cut pieces out of `data` and put others in."""
    for place, removed, put in edits:
        at = place % (len(data) + 1)
        data = data[:at] + put + data[at + removed :]
    return data


edit_lists = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(0, 4), st.binary(max_size=3)),
    min_size=1,
    max_size=4,
)


@many
@given(case=responses(), edits=edit_lists, cuts=cut_places, is_head=st.booleans())
def test_a_damaged_response_is_read_the_same_way_however_it_is_split(
    case: tuple[bytes, bytes],
    edits: list[tuple[int, int, bytes]],
    cuts: list[int],
    *,
    is_head: bool,
) -> None:
    """Invariant: a response or `RemoteProtocolError`, nothing else, and no split changes which."""
    data = damage(case[0], edits)
    got = both_ways(data, is_head_request=is_head)
    assert read(split(data, cuts), is_head_request=is_head) == got


@more
@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", OK, CHUNKED, b"HTTP/1."]))
def test_arbitrary_bytes_are_read_or_refused(data: bytes, prefix: bytes) -> None:
    """Invariant: nothing but `RemoteProtocolError` leaves the reader."""
    both_ways(prefix + data)


# ---- request heads


def test_a_request_head_is_encoded() -> None:
    """Method, target and headers, each on its line."""
    head = encode_head("POST", b"/api/chat?x=1", [(b"Host", b"h:1"), (b"X", b"")])
    assert head == b"POST /api/chat?x=1 HTTP/1.1\r\nHost: h:1\r\nX: "


@pytest.mark.parametrize("bad", [b"\r", b"\n", b"\r\n", b"\0", b"\r\nX: y", b"x\n"])
@pytest.mark.parametrize("place", ["method", "target", "name", "value"])
def test_a_request_head_cannot_be_broken_out_of(place: str, bad: bytes) -> None:
    """A line break or NUL in any part is refused."""
    parts = {"method": b"GET", "target": b"/", "name": b"X", "value": b"y"}
    parts[place] += bad
    with pytest.raises(httpx.LocalProtocolError):
        encode_head(parts["method"].decode(), parts["target"], [(parts["name"], parts["value"])])


@pytest.mark.parametrize(("method", "target"), [("GET /x", b"/"), ("GET", b"/ HTTP/1.1")])
def test_a_request_line_has_three_parts(method: str, target: bytes) -> None:
    """A space in the method or the path would make more of them."""
    with pytest.raises(httpx.LocalProtocolError, match="space"):
        encode_head(method, target, [])


@settings(deadline=None)
@given(parts=st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=4))
def test_an_encoded_head_has_as_many_lines_as_headers(parts: list[tuple[bytes, bytes]]) -> None:
    """Invariant: refused, or exactly one line per header."""
    try:
        head = encode_head("GET", b"/", parts)
    except httpx.LocalProtocolError:
        return
    assert head.startswith(b"GET / HTTP/1.1")
    assert head.count(b"\n") == head.count(b"\r") == len(parts)
