"""`Fetcher`: pictures and sounds from the web, for programs that take addresses from others.

Whoever may name an address could otherwise read from inside your network: so names are looked up
first, every address must be public, and the connection goes to the very address that was checked.
The same holds for each redirect. Nothing of the answer is trusted: its size is counted while it
arrives, its kind is judged by its first bytes, and all of it has one deadline.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import httpx
import trio

from triollama._config import TLSConfig
from triollama._errors import ConfigError
from triollama.api.images import IMAGE_BYTES_MAX, check_media
from triollama.media.addresses import Network, is_public, is_within, parse_address
from triollama.media.errors import FetchFailedError, FetchRefusedError
from triollama.media.sink import MediaSink, header
from triollama.media.urls import parse_url, port_of, redirected
from triollama.wire.exchange import Exchange
from triollama.wire.http1 import HEADER_BLOCK_BYTES_MAX, encode_head
from triollama.wire.task_connection import TaskConnection
from triollama.wire.tls import open_context

__all__ = ["Fetcher"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ADDRESSES_MAX = 4
"""Of one host that are tried; the deadline is shared among them."""

_SockAddr = tuple[socket.AddressFamily, Any]


def _networks(value: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigError("allow must be several networks, such as ('10.1.2.0/24',)")
    try:
        return tuple(ipaddress.ip_network(each) for each in value)
    except ValueError as error:
        raise ConfigError(f"allow: {error}") from None


def _positive(_: object, field: attrs.Attribute[float], value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:  # type: ignore[operator]  # NaN is not
        raise ConfigError(f"{field.name} must be a number, more than 0 and finite")


def _count(_: object, field: attrs.Attribute[int], value: object) -> None:
    least = 0 if field.name == "redirects_max" else 1
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{field.name} must be a whole number, {least} or more")


@attrs.frozen(kw_only=True)
class Fetcher:
    """Fetches what a request can have as an image, from the public web only.

    It keeps no connection, no cookie and no password, and asks no proxy. Use one for all.

    Attributes:
        bytes_max: of one answer; more is not read.
        redirects_max: followed for one address.
        connect_s: seconds for the look-up of the name, and again for connection and TLS.
        total_s: seconds for all of it, redirects included.
        allow: networks inside yours that may be fetched from as well, such as
            ``("10.1.2.0/24",)``. Whoever names addresses can then reach all that is in them.
        tls: whom to trust for ``https``.

    Raises:
        ConfigError: a value is not usable.
    """

    bytes_max: int = attrs.field(default=IMAGE_BYTES_MAX, validator=_count)
    redirects_max: int = attrs.field(default=3, validator=_count)
    connect_s: float = attrs.field(default=5.0, validator=_positive)
    total_s: float = attrs.field(default=30.0, validator=_positive)
    allow: tuple[Network, ...] = attrs.field(default=(), converter=_networks)
    tls: TLSConfig = attrs.field(factory=TLSConfig)

    async def fetch(self, url: str) -> bytes:
        """The bytes of a picture or a sound, to be used in a request.

        If cancelled, the connection is closed.

        Args:
            url: ``http://`` or ``https://``, without user and password.

        Raises:
            FetchRefusedError: the address, or one that it leads to, is not public, or not http or
                https; or what is there is too large, or no picture or sound that Ollama takes.
            FetchFailedError: there is no answer, another one than 200, or none in time.
            InvalidRequestError: a picture of too many pixels.
        """
        target = parse_url(url)
        with trio.move_on_after(self.total_s):
            for _ in range(self.redirects_max + 1):
                found = await self._get(target)
                if isinstance(found, bytes):
                    check_media(found, "the fetched file")
                    return found
                target = found
            told = f"more than {self.redirects_max} redirects"
            raise FetchRefusedError(told, host=target.host)
        raise FetchFailedError(f"not whole within {self.total_s:g} s", endpoint=target.host)

    async def _get(self, target: httpx.URL) -> bytes | httpx.URL:
        """One exchange: the body, or where it leads to."""
        host = target.host
        connection = TaskConnection(await self._connect(target, await self._look_up(target)))
        exchange = connection.exchange = Exchange(
            connection,
            is_head_request=False,
            is_reused=False,
            header_bytes_max=HEADER_BLOCK_BYTES_MAX,
        )
        try:
            await exchange.send(_head_of(target))
            head = await exchange.wait_head()
            if head.status in _REDIRECTS:
                return redirected(target, header(head, b"location"))
            sink = MediaSink(host, self.bytes_max, head)
            exchange.attach(sink)
            await exchange.wait_end()
            return sink.whole()
        except httpx.TransportError as error:
            raise FetchFailedError(str(error), endpoint=host) from error
        finally:
            exchange.abort()
            connection.close()

    async def _look_up(self, target: httpx.URL) -> Sequence[_SockAddr]:
        """The addresses of a host; if one of them is not public, none is used.

        Raises:
            FetchRefusedError: one is not public.
            FetchFailedError: there is none.
        """
        host = target.host
        with trio.move_on_after(self.connect_s):
            try:
                found = await trio.socket.getaddrinfo(
                    host, port_of(target), type=socket.SOCK_STREAM
                )
            except (OSError, UnicodeError) as error:
                raise FetchFailedError("the host is unknown", endpoint=host) from error
            if not all(self._may_reach(str(each[4][0])) for each in found):
                raise FetchRefusedError("its address is not on the public internet", host=host)
            return [(each[0], each[4]) for each in found[:_ADDRESSES_MAX]]
        raise FetchFailedError(f"its name was not found in {self.connect_s:g} s", endpoint=host)

    def _may_reach(self, text: str) -> bool:
        try:
            address = parse_address(text)
        except ValueError:
            return False
        return is_public(address) or is_within(address, self.allow)

    async def _connect(
        self, target: httpx.URL, addresses: Sequence[_SockAddr]
    ) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
        """A connection to the first of these very addresses that takes one."""
        reason: BaseException | None = None
        for family, address in addresses:
            with trio.move_on_after(self.connect_s / len(addresses)):
                try:
                    return await _dial(family, address, target, self.tls)
                except (OSError, ssl.SSLError, trio.BrokenResourceError) as error:
                    reason = error
        why = f" in {self.connect_s:g} s" if reason is None else f": {_words(reason)}"
        told = f"no connection{why}"
        raise FetchFailedError(told, endpoint=target.host) from reason


async def _dial(
    family: socket.AddressFamily,
    address: Any,
    target: httpx.URL,
    tls: TLSConfig,
) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Connect to an address; if cancelled, nothing stays open."""
    opened = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await opened.connect(address)
        stream = trio.SocketStream(opened)
        if target.scheme == "http":
            return stream
        # As in `wire.dialing`: servers close without TLS's farewell.
        context = await trio.to_thread.run_sync(open_context, tls)  # reads files, once
        secured = trio.SSLStream(
            stream, context, server_hostname=target.host, https_compatible=True
        )
        await secured.do_handshake()
    except BaseException:
        opened.close()
        raise
    return secured


def _words(error: BaseException) -> str:
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate was refused: {cause.verify_message}"
    return (isinstance(cause, OSError) and cause.strerror) or type(cause).__name__


def _head_of(target: httpx.URL) -> bytes:
    headers = [
        (b"Host", target.netloc),
        (b"Accept", b"image/png, image/jpeg, image/webp, audio/wav, audio/mpeg"),
        # Anything else would let a small answer become a large one.
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", b"triollama"),
        (b"Connection", b"close"),
    ]
    return encode_head("GET", target.raw_path, headers) + b"\r\n\r\n"
