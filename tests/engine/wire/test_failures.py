"""The map from transport errors to the engine's own."""

from __future__ import annotations

import httpx
import pytest

from triollama._errors import ConnectError, ConnectionLostError, ProtocolError
from triollama.wire.exchange import ConnectionLostEarly
from triollama.wire.failures import translate
from triollama.wire.http1 import CutShortError


def all_subclasses(base: type) -> set[type]:
    """`base` and what descends from it."""
    return {base}.union(*map(all_subclasses, base.__subclasses__()))


KINDS = {
    httpx.ConnectError: ConnectError,
    httpx.ConnectTimeout: ConnectError,
    httpx.PoolTimeout: ConnectError,
    httpx.ProxyError: ConnectError,
    httpx.UnsupportedProtocol: ConnectError,
    httpx.ReadError: ConnectionLostError,
    httpx.ReadTimeout: ConnectionLostError,
    httpx.WriteError: ConnectionLostError,
    httpx.WriteTimeout: ConnectionLostError,
    httpx.CloseError: ConnectionLostError,
    CutShortError: ConnectionLostError,
    httpx.RemoteProtocolError: ProtocolError,
    httpx.LocalProtocolError: ProtocolError,
}


@pytest.mark.parametrize("theirs", KINDS)
def test_each_transport_error_has_its_own(theirs: type[httpx.TransportError]) -> None:
    """Kind, endpoint and message are carried over."""
    error = translate(theirs("what happened"), "gpu-1")
    assert type(error) is KINDS[theirs]
    assert str(error) == "gpu-1: what happened"
    assert error.endpoint == "gpu-1"
    assert not getattr(error, "stale", False)


@pytest.mark.parametrize("theirs", sorted(all_subclasses(httpx.TransportError), key=str))
def test_no_transport_error_is_unknown(theirs: type[httpx.TransportError]) -> None:
    """Whatever httpx adds becomes an endpoint's failure, with words."""
    assert str(translate(theirs(""), "")) == theirs.__name__


def test_a_lost_reused_connection_is_stale() -> None:
    """The one failure after which the same request may go to the same server at once."""
    error = translate(ConnectionLostEarly("gone"), "gpu-1")
    assert isinstance(error, ConnectionLostError)
    assert error.stale


def test_an_empty_message_is_filled_from_the_cause() -> None:
    """Httpx's own transport says nothing about TLS; the cause does."""
    error = httpx.ConnectError("")
    error.__cause__ = OSError("certificate verify failed")
    assert str(translate(error, "")) == "certificate verify failed"
