"""The map from what transports raise to the engine's own errors."""

from __future__ import annotations

import httpx

from triollama._errors import ConnectError, ConnectionLostError, EndpointError, ProtocolError
from triollama.wire.exchange import ConnectionLostEarly
from triollama.wire.http1 import CutShortError

_KINDS: tuple[tuple[type[httpx.TransportError], type[EndpointError]], ...] = (
    (httpx.ConnectTimeout, ConnectError),
    (httpx.ConnectError, ConnectError),
    (httpx.ProxyError, ConnectError),
    (httpx.UnsupportedProtocol, ConnectError),
    (httpx.PoolTimeout, ConnectError),
    (httpx.ReadError, ConnectionLostError),
    (httpx.WriteError, ConnectionLostError),
    (httpx.CloseError, ConnectionLostError),
    (httpx.TimeoutException, ConnectionLostError),
    (CutShortError, ConnectionLostError),
    (httpx.ProtocolError, ProtocolError),
)


def translate(error: httpx.TransportError, endpoint: str) -> EndpointError:
    """The engine's error for a transport's.

    Args:
        error: what the transport raised.
        endpoint: the endpoint's name.
    """
    # TLS failures reach httpx's own transport with an empty message; the cause has the words.
    message = str(error) or str(error.__cause__ or "") or type(error).__name__
    if isinstance(error, ConnectionLostEarly):
        return ConnectionLostError(message, endpoint=endpoint, stale=True)
    for theirs, ours in _KINDS:
        if isinstance(error, theirs):
            return ours(message, endpoint=endpoint)
    return ConnectionLostError(message, endpoint=endpoint)
