"""Opening connections: name look-up, happy eyeballs and TLS, all of it trio's.

Failures leave as `httpx.ConnectError` with a message that says what failed; trio's own exceptions
are empty or nested.
"""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress

import attrs
import httpx
import trio

from triollama.wire.reactor import Reactor, ReactorConnection
from triollama.wire.task_connection import TaskConnection


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
    stream = await _open_tcp(origin)
    if origin.scheme == "https":
        assert tls is not None
        return TaskConnection(await _open_tls(stream, origin, tls))
    if reactor is None:
        return TaskConnection(stream)
    return reactor.adopt(socket.socket(fileno=stream.socket.detach()))


async def _open_tcp(origin: Origin) -> trio.SocketStream:
    try:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
    except socket.gaierror as error:
        raise httpx.ConnectError(
            f"the host {origin.host!r} is unknown: {error.strerror}"
        ) from error
    except UnicodeError as error:
        raise httpx.ConnectError(f"the host {origin.host!r} is not a name") from error
    except OSError as error:
        raise httpx.ConnectError(f"no connection: {_reason(error)}") from error
    _delay_acks(stream)
    return stream


def _delay_acks(stream: trio.SocketStream) -> None:
    """Let one acknowledgement answer two chunks where they come quickly.

    Linux otherwise sends one for each small segment, from within the read that takes it: a seventh
    of the CPU of a chunk. Only a server that waits for it (without ``TCP_NODELAY``) would be
    slowed; Ollama is written in Go, which sets that option.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):  # a peer that is gone already is noticed by the first use
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)


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
        raise httpx.ConnectError(f"no TLS: {_reason(cause)}") from error
    except BaseException:
        stream.socket.close()
        raise
    return secured


def _reason(error: BaseException) -> str:
    """The plain words of an error that may be nested: the first one that has any."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate was refused: {error.verify_message}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # trio's own text repeats the address
    inner = error.__cause__ or (
        error.exceptions[0] if isinstance(error, BaseExceptionGroup) else None
    )
    return _reason(inner) if inner is not None else (str(error) or type(error).__name__)
