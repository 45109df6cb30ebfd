"""Fetching from the web: what is refused, before and while anything is read."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import pytest
import trio

from triollama import ConfigError, Fetcher, FetchFailedError, FetchRefusedError, InvalidRequestError

HERE = ("127.0.0.0/8",)


def url(web: Any, path: str = "/s3cret.png?token=s3cret") -> str:
    """An address of the server."""
    return f"http://127.0.0.1:{web.port}{path}"


async def test_a_picture_is_fetched(web: Any, picture: bytes) -> None:
    """From a network that is allowed; the request asks for no compression."""
    web.says(picture)
    assert await Fetcher(allow=HERE).fetch(url(web)) == picture
    assert web.requests[0].startswith(b"GET /s3cret.png?token=s3cret HTTP/1.1\r\n")
    assert b"Accept-Encoding: identity" in web.requests[0]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://127.1:{port}/",
        "http://0x7f.0.0.1:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0.0.0.0:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
    ],
)
async def test_private_addresses_are_never_asked(web: Any, picture: bytes, address: str) -> None:
    """In whatever spelling; no connection is made."""
    web.says(picture)
    with pytest.raises((FetchRefusedError, FetchFailedError)) as caught:
        await Fetcher().fetch(address.format(port=web.port))
    if isinstance(caught.value, FetchFailedError):  # not every system reads every spelling
        assert "unknown" in str(caught.value)
    assert web.requests == []


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://example.org/x", "only http and https"),
        ("gopher://example.org/", "only http and https"),
        ("//example.org/x", "only http and https"),
        ("example.org/x.png", "only http and https"),
        ("http:///x", "without a host"),
        ("http://user:s3cret@example.org/", "user or password"),
        ("http://[::1/", "no address"),
        ("http://a\nb/", "no address"),
        ("http://a:99999/", "port does not exist"),
        ("", "only http and https"),
        ("http://" + "x" * 9000, "at most 8192"),
        (None, "must be a str"),
    ],
)
async def test_what_is_no_address_of_the_web(address: Any, told: str) -> None:
    """Refused before any look-up, without repeating it."""
    with pytest.raises(FetchRefusedError, match=told) as caught:
        await Fetcher().fetch(address)
    assert "s3cret" not in str(caught.value)


async def test_a_name_with_one_private_address(web: Any, names: Any, picture: bytes) -> None:
    """A name that leads inside is refused, also if it leads outside as well."""
    web.says(picture)
    trio.socket.set_custom_hostname_resolver(names)
    names.known = {"inside.test": ["127.0.0.1"], "both.test": ["93.184.216.34", "10.0.0.1"]}
    for host in names.known:
        with pytest.raises(FetchRefusedError, match="not on the public internet"):
            await Fetcher().fetch(f"http://{host}:{web.port}/")
    assert web.requests == []


async def test_the_address_that_was_checked_is_used(web: Any, names: Any, picture: bytes) -> None:
    """A name is looked up once, so that it cannot lead elsewhere the second time."""
    web.says(picture)
    trio.socket.set_custom_hostname_resolver(names)
    names.known = {"pictures.test": ["127.0.0.1"]}
    assert await Fetcher(allow=HERE).fetch(f"http://pictures.test:{web.port}/a") == picture
    assert names.asked == ["pictures.test"]
    assert f"Host: pictures.test:{web.port}".encode() in web.requests[0]


async def test_an_unknown_host(names: Any) -> None:
    """The error names it."""
    trio.socket.set_custom_hostname_resolver(names)
    with pytest.raises(FetchFailedError, match=r"nowhere\.test: the host is unknown"):
        await Fetcher().fetch("https://nowhere.test/x")


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://10.0.0.1/", "10.0.0.1: its address is not on the public internet"),
        ("http://[fe80::1]/", "not on the public internet"),
        ("//169.254.169.254/latest", "not on the public internet"),
        ("file:///etc/passwd", "only http and https"),
        ("http://u:s3cret@127.0.0.1/", "user or password"),
    ],
)
async def test_a_redirect_is_checked_like_the_first(web: Any, location: str, told: str) -> None:
    """It leads to no private address, no other scheme, and to no password."""
    web.says(b"", "302 Found", f"Location: {location}\r\n")
    with pytest.raises(FetchRefusedError, match=told.replace(".", r"\.")) as caught:
        await Fetcher(allow=["127.0.0.1"]).fetch(url(web))
    assert "s3cret" not in str(caught.value)
    assert len(web.requests) == 1


async def test_redirects_are_followed_so_far(web: Any) -> None:
    """A circle ends."""
    web.says(b"", "307 Temporary Redirect", "Location: /again\r\n")
    with pytest.raises(FetchRefusedError, match="more than 2 redirects"):
        await Fetcher(allow=HERE, redirects_max=2).fetch(url(web))
    assert len(web.requests) == 3
    assert web.requests[2].startswith(b"GET /again ")


@pytest.mark.parametrize("headers", ["", "Location: \r\n", "Location: \xfc\r\n"])
async def test_a_redirect_to_nowhere(web: Any, headers: str) -> None:
    """The server's fault."""
    web.says(b"", "301 Moved Permanently", headers)
    with pytest.raises(FetchFailedError, match="a redirect to"):
        await Fetcher(allow=HERE).fetch(url(web))


@pytest.mark.parametrize("surplus", [-1, 0, 1])
async def test_the_size_is_counted_while_it_arrives(web: Any, picture: bytes, surplus: int) -> None:
    """Also where no length is announced, and to the byte."""
    web.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + picture
    fetcher = Fetcher(allow=HERE, bytes_max=len(picture) - surplus)
    if surplus <= 0:
        assert await fetcher.fetch(url(web)) == picture
        return
    with pytest.raises(FetchRefusedError, match=f"more than {len(picture) - 1} bytes"):
        await fetcher.fetch(url(web))


@pytest.mark.parametrize("length", ["100000000000", "9" * 30])
async def test_an_announced_size_is_enough_to_refuse(web: Any, length: str) -> None:
    """Nothing of the body is waited for, and the connection is closed."""
    web.keeps_open = True
    web.says(b"", headers=f"Content-Length: {length}\r\n")
    with trio.fail_after(5), pytest.raises((FetchRefusedError, FetchFailedError)):
        await Fetcher(allow=HERE).fetch(url(web))
    with trio.fail_after(5):
        await web.hung_up.wait()


async def test_an_endless_body_ends(web: Any, picture: bytes) -> None:
    """A server that sends without end is hung up on."""
    web.keeps_open = True
    web.answer = b"HTTP/1.1 200 OK\r\n\r\n" + picture + b"x" * 500_000
    with trio.fail_after(5), pytest.raises(FetchRefusedError, match="more than 100000 bytes"):
        await Fetcher(allow=HERE, bytes_max=100_000).fetch(url(web))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<!DOCTYPE html><title>s3cret</title>", "a page or drawing in HTML"),
        (b"GIF89a....", "a GIF"),
        (b"%PDF-1.7", "a PDF document"),
        (b"s3cret", "something else"),
        (b"", "something else"),
    ],
)
async def test_only_pictures_and_sounds(web: Any, body: bytes, told: str) -> None:
    """What it is, is judged by its bytes, and named without repeating them."""
    web.says(body, headers="Content-Type: image/png\r\n")
    with pytest.raises(FetchRefusedError, match=f"gives {told}") as caught:
        await Fetcher(allow=HERE).fetch(url(web))
    assert "s3cret" not in str(caught.value)


async def test_a_page_is_not_read_to_its_end(web: Any) -> None:
    """The first bytes say that it is none."""
    web.keeps_open = True
    web.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n<html>" + b" " * 600
    with trio.fail_after(5), pytest.raises(FetchRefusedError, match="HTML"):
        await Fetcher(allow=HERE).fetch(url(web))


async def test_an_image_bomb_is_refused(web: Any, picture: bytes) -> None:
    """By the size that it declares."""
    web.says(picture.replace((8).to_bytes(4, "big") * 2, b"\0\1\0\0" * 2))
    with pytest.raises(InvalidRequestError, match="65536 x 65536 pixels"):
        await Fetcher(allow=HERE).fetch(url(web))


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        ("404 Not Found", "", "answers 404"),
        ("500 Oops", "", "answers 500"),
        ("206 Partial Content", "", "answers 206"),
        ("200 OK", "Content-Encoding: gzip\r\n", "server compressed the answer"),
    ],
)
async def test_another_answer(
    web: Any, picture: bytes, status: str, headers: str, told: str
) -> None:
    """It is the server's fault, and the error names its host, and no path."""
    web.says(picture, status, headers)
    with pytest.raises(FetchFailedError, match=told) as caught:
        await Fetcher(allow=HERE).fetch(url(web))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n\x89PNG"]
)
async def test_an_answer_that_breaks(web: Any, answer: bytes) -> None:
    """No HTTP, or cut short."""
    web.answer = answer
    with pytest.raises(FetchFailedError):
        await Fetcher(allow=HERE).fetch(url(web))


async def test_nobody_listens() -> None:
    """The reason is told."""
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(FetchFailedError, match="no connection: "):
        await Fetcher(allow=HERE).fetch(f"http://127.0.0.1:{port}/")


async def test_no_tls_there(web: Any) -> None:
    """A server that speaks plain HTTP where TLS is asked for."""
    web.answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with pytest.raises(FetchFailedError, match=r"no connection in 0\.05 s"):
        await Fetcher(allow=HERE, connect_s=0.05).fetch(f"https://127.0.0.1:{web.port}/")


async def test_all_of_it_has_a_deadline(
    web: Any, names: Any, autojump_clock: trio.testing.MockClock
) -> None:
    """A server that is silent, and a resolver that is."""
    trio.socket.set_custom_hostname_resolver(names)
    names.known = {"slow.test": ["127.0.0.1"]}
    names.wait = trio.sleep_forever
    with pytest.raises(FetchFailedError, match="its name was not found in 5 s"):
        await Fetcher().fetch("http://slow.test/")
    assert trio.current_time() == pytest.approx(5)
    names.wait = partial(trio.sleep, 4)
    with pytest.raises(FetchFailedError, match="not whole within 3 s"):
        await Fetcher(total_s=3).fetch("http://slow.test/")


async def test_a_silent_server_is_left(web: Any, picture: bytes) -> None:
    """When the time is over its connection is closed."""
    web.keeps_open = True
    web.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + picture
    with pytest.raises(FetchFailedError, match="not whole within"):
        await Fetcher(allow=HERE, total_s=0.05).fetch(url(web))
    with trio.fail_after(5):
        await web.hung_up.wait()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"bytes_max": 0}, "bytes_max"),
        ({"bytes_max": True}, "bytes_max"),
        ({"redirects_max": -1}, "redirects_max"),
        ({"connect_s": 0}, "connect_s"),
        ({"total_s": float("nan")}, "total_s"),
        ({"total_s": "5"}, "total_s"),
        ({"allow": "10.0.0.0/8"}, "allow"),
        ({"allow": ["10.0.0.0/99"]}, "allow"),
    ],
)
def test_values_that_are_not_usable(values: dict[str, Any], told: str) -> None:
    """Each is refused by name."""
    with pytest.raises(ConfigError, match=told):
        Fetcher(**values)


def test_addresses_are_read_as_httpx_reads_them() -> None:
    """Of its host nothing is left out that the check would not see."""
    assert httpx.URL("http://a.test#@127.0.0.1/").host == "a.test"
    assert httpx.URL("http://a.test\\@127.0.0.1/").host != "a.test"
