"""Opening connections. Name look-up, happy eyeballs and TLS are trio's.

To an address there is only one way, so it is taken without trio's race of attempts, which costs
more than all else of a request; on the loopback it does not even wait. That counts when a server
dies: each of its streams opens a connection to another one at the same moment.

Failures leave as `httpx.ConnectError` with a message that says what failed; trio's own exceptions
are empty or nested.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import ssl
from contextlib import suppress
from functools import lru_cache

import attrs
import httpx
import trio

from triollama.wire.reactor import Reactor, ReactorConnection
from triollama.wire.task_connection import TaskConnection
from triollama.wire.tls import tls_words

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)


_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says, by its release, of an answer that does not begin as a record of TLS does."""


@attrs.frozen
class Origin:
    """Where a connection goes.

    Attributes:
        scheme: ``http`` or ``https``.
        host: name or address, without brackets.
        port: TCP port.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def dial(
    origin: Origin, *, reactor: Reactor | None, tls: ssl.SSLContext | None
) -> ReactorConnection | TaskConnection:
    """Open a connection. If cancelled, nothing stays open.

    Args:
        origin: where to.
        reactor: reads plain connections if given and supported.
        tls: for ``https``.

    Raises:
        httpx.ConnectError: unknown host, refused, unreachable, or TLS failed.
    """
    await trio.lowlevel.checkpoint_if_cancelled()
    opened = await _open_tcp(origin)
    if reactor is not None and tls is None:
        return reactor.adopt(opened)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(opened))
    if tls is None:
        return TaskConnection(stream)
    return TaskConnection(await _open_tls(stream, origin, tls))


async def _open_tcp(origin: Origin) -> socket.socket:
    """A connected socket that does not block."""
    family = _family(origin.host)
    try:
        if family is not None:
            opened = await _connect(family, origin)
        else:
            stream = await trio.open_tcp_stream(origin.host, origin.port)
            opened = socket.socket(fileno=stream.socket.detach())
    except socket.gaierror as error:
        raise httpx.ConnectError(
            f"the host {origin.host!r} is unknown: {error.strerror}"
        ) from error
    except UnicodeError as error:
        raise httpx.ConnectError(f"the host {origin.host!r} is not a name") from error
    except OverflowError as error:
        raise httpx.ConnectError(f"no connection: there is no port {origin.port}") from error
    except OSError as error:
        raise httpx.ConnectError(f"no connection: {_reason(error)}") from error
    with suppress(OSError):  # a peer that is gone already is noticed by the first use
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _delay_acks(opened)
    return opened


@lru_cache(maxsize=1_024)
def _family(host: str) -> socket.AddressFamily | None:
    """The family of an address; None if it is a name."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return None
    if "%" in host:
        return None  # with the name of an interface, which has to be looked up
    return socket.AF_INET if version == 4 else socket.AF_INET6


async def _connect(family: socket.AddressFamily, origin: Origin) -> socket.socket:
    """Connect to an address. If cancelled, nothing stays open.

    Raises:
        OSError: refused or unreachable.
    """
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(0.0)
        code = opened.connect_ex((origin.host, origin.port))
        if code in _UNDER_WAY:
            if not _is_connected(opened):
                await trio.lowlevel.wait_writable(opened)
            code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except BaseException:
        opened.close()
        raise
    if code:
        opened.close()
        raise OSError(code, os.strerror(code))
    return opened


def _is_connected(opened: socket.socket) -> bool:
    """Whether it is so at once, as on the loopback."""
    try:
        opened.getpeername()
    except OSError:
        return False
    return True


def _delay_acks(opened: socket.socket) -> None:
    """Let one acknowledgement answer two chunks where they come quickly.

    Linux otherwise sends one for each small segment, from within the read that takes it: a seventh
    of the CPU of a chunk. Only a server that waits for it (without ``TCP_NODELAY``) would be
    slowed; Ollama is written in Go, which sets that option.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


async def _open_tls(
    stream: trio.SocketStream, origin: Origin, context: ssl.SSLContext
) -> trio.SSLStream[trio.SocketStream]:
    # https_compatible: servers close without TLS's farewell; HTTP's own framing tells what is
    # whole.
    secured = trio.SSLStream(stream, context, server_hostname=origin.host, https_compatible=True)
    try:
        await secured.do_handshake()
    except (trio.BrokenResourceError, OSError) as error:
        stream.socket.close()
        cause = error.__cause__ or error
        hint = f"; try http://{origin}" if _is_plain(cause) else ""
        raise httpx.ConnectError(f"no TLS: {_reason(cause)}{hint}") from error
    except BaseException:
        stream.socket.close()
        raise
    return secured


def _is_plain(error: BaseException) -> bool:
    """Whether what came in a handshake is no TLS at all."""
    return isinstance(error, ssl.SSLError) and error.reason in _NO_TLS


def _reason(error: BaseException) -> str:
    """The plain words of an error that may be nested: the first one that has any."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate was refused: {error.verify_message}"
    if _is_plain(error):
        return "the server does not speak it"
    if isinstance(error, ssl.SSLError):  # its errno is TLS's own
        return tls_words(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # trio's own text repeats the address
    inner = error.__cause__ or (
        error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
    )
    return _reason(inner) if inner is not None else (str(error) or type(error).__name__)
