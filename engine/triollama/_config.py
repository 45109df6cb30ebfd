"""Frozen configuration, checked when it is made.

`EngineConfig` holds the limits and clocks of an engine, `EndpointConfig` one server's address and
limits, `TLSConfig` how to check a server and show who we are. A value that is not usable raises
`ConfigError` with the field's name, what it was, and what it may be; NaN is never usable.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from triollama._address import parse_endpoint_url
from triollama._errors import ConfigError

_SHOWN_MAX = 10**30
"""Whole numbers beyond it are not shown: Python refuses to write out one of 4,300 digits."""

_Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def _refuse(field: attrs.Attribute[Any], value: object, wanted: str) -> ConfigError:
    is_short = isinstance(value, float) or (isinstance(value, int) and abs(value) < _SHOWN_MAX)
    shown = value if is_short else type(value).__name__
    return ConfigError(f"{field.name} must be {wanted}, not {shown}")


def _seconds(*, zero: bool = False, infinite: bool = False) -> _Check:
    """A number of seconds."""
    wanted = "seconds, " + ("0 or more" if zero else "more than 0")
    if not infinite:
        wanted += " and finite"

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _refuse(field, value, wanted)
        is_enough = value >= 0 if zero else value > 0  # NaN is neither
        is_finite = value <= sys.float_info.max
        if not is_enough or not (is_finite or (infinite and value == math.inf)):
            raise _refuse(field, value, wanted)

    return check


def _count(least: int) -> _Check:
    """A whole number."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _refuse(field, value, f"a whole number, {least} or more")

    return check


def _as_path(value: str | Path | None) -> Path | None:
    if not isinstance(value, str | Path | None):
        raise ConfigError(f"a certificate's file must be a path, not {type(value).__name__}")
    return None if value is None else Path(value)


@attrs.frozen
class TLSConfig:
    """How to check a server, and how to show who we are.

    Certificates and host names are always checked; nothing turns that off.

    Attributes:
        ca_file: PEM file of the authorities to trust *instead of* the system's.
        client_cert_file: PEM file with our certificate (and its key, unless that is apart).
        client_key_file: PEM file with our key.
    """

    ca_file: Path | None = attrs.field(default=None, converter=_as_path)
    client_cert_file: Path | None = attrs.field(default=None, converter=_as_path)
    client_key_file: Path | None = attrs.field(default=None, converter=_as_path)

    def __attrs_post_init__(self) -> None:
        if self.client_key_file is not None and self.client_cert_file is None:
            raise ConfigError("client_key_file needs client_cert_file beside it")


def _as_headers(value: Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError("headers must be a mapping of names to values")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise ConfigError("headers must be a mapping of text to text")
        if not name or not name.isascii() or any(c in " :\r\n\0" for c in name):
            raise ConfigError(f"{name!r} is not the name of a header")
        if any(c in "\r\n\0" for c in text) or not text.isprintable() or not text.isascii():
            # The value may be a secret: it is not shown.
            raise ConfigError(f"the value of the header {name!r} holds characters it must not hold")
        if name.lower() in _OUR_HEADERS:
            raise ConfigError(f"the header {name!r} is set by the engine")
    return MappingProxyType(dict(value))


_OUR_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
    | {"transfer-encoding"}
)


@attrs.frozen
class EndpointConfig:
    """One Ollama server.

    Attributes:
        url: ``http://host:port`` or ``https://host``; without a port, http means 80 and https 443,
            as in any URL. A path, a query or a user is refused.
        name: what statistics, errors and records call it; by default ``host:port``.
        max_in_flight: requests that the engine sends to it at a time. Further ones wait here, in
            the engine's own line, where they can still go elsewhere.
        headers: sent with every request, for a proxy in front of the server (a key, for instance).
            Never shown.
        tls: for ``https``.
    """

    url: str
    name: str = ""
    max_in_flight: int = attrs.field(default=256, validator=_count(1), kw_only=True)
    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=_as_headers, repr=False, kw_only=True
    )
    tls: TLSConfig | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        address = parse_endpoint_url(self.url)
        object.__setattr__(self, "url", address.url)
        if not isinstance(self.name, str):
            raise ConfigError(f"name must be text, not {type(self.name).__name__}")
        object.__setattr__(self, "name", self.name or address.authority)
        if self.tls is not None and address.scheme != "https":
            raise ConfigError(f"{self.name}: tls is given, but the address is not https")


@attrs.frozen(kw_only=True)
class EngineConfig:
    """Clocks and limits of an engine.

    Four clocks run for each attempt, never one timeout:

    Attributes:
        connect_s: to have a connection, name look-up and TLS included.
        first_token_s: from the request's sending to the first byte of the answer. It must cover the
            server's own line, the model's load (Ollama gives up after 5 minutes) and the prompt: no
            header comes before the first token.
        stall_s: between two pieces of an answer.
        total_s: for the whole request, waiting in line included, unless the request gives
            ``deadline_s``.
        attempts_max: endpoints tried for one request.
        line_max: requests that may wait for an endpoint; one more raises `OverloadError`.
        line_s: the longest wait in that line.
        buffer_bytes_high: a stream that holds more than this unread is not read from its socket
            until its reader has caught up.
        line_bytes_max: one line of an answer. Ollama's own client stops at 8,000,000 bytes.
        answer_bytes_max: one whole answer.
        header_bytes_max: the head of a response.
        idle_s: an unused connection is closed after this long.
        linger_s: how long a finished answer may take to end its HTTP body before its connection is
            given up instead of reused.
        grace_s: when the engine closes, how long running requests may go on.
    """

    connect_s: float = attrs.field(default=5.0, validator=_seconds())
    first_token_s: float = attrs.field(default=600.0, validator=_seconds(infinite=True))
    stall_s: float = attrs.field(default=60.0, validator=_seconds(infinite=True))
    total_s: float = attrs.field(default=math.inf, validator=_seconds(infinite=True))
    attempts_max: int = attrs.field(default=4, validator=_count(1))
    line_max: int = attrs.field(default=10_000, validator=_count(0))
    line_s: float = attrs.field(default=600.0, validator=_seconds(infinite=True))
    buffer_bytes_high: int = attrs.field(default=256 * 1024, validator=_count(1))
    line_bytes_max: int = attrs.field(default=16 * 1024 * 1024, validator=_count(1024))
    answer_bytes_max: int = attrs.field(default=256 * 1024 * 1024, validator=_count(1024))
    header_bytes_max: int = attrs.field(default=16 * 1024, validator=_count(1024))
    idle_s: float = attrs.field(default=60.0, validator=_seconds())
    linger_s: float = attrs.field(default=0.5, validator=_seconds())
    grace_s: float = attrs.field(default=5.0, validator=_seconds(zero=True))
