"""Frozen configuration, checked when it is made.

`EngineConfig` holds the limits and clocks of an engine, with `ProbeConfig` and `RateLimit` in it;
`EndpointConfig` one server's address and limits, `TLSConfig` how to check a server and show who we
are. A value that is not usable raises `ConfigError` with the field's name, what it was, and what it
may be; NaN is never usable.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from triollama._address import parse_endpoint_url
from triollama._errors import ConfigError

if TYPE_CHECKING:
    from triollama.api import Usage
    from triollama.auth.credentials import Basic, Bearer

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


def _number(wanted: str, accepts: Callable[[float], bool]) -> _Check:
    """A finite number."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _refuse(field, value, wanted)
        if not abs(value) <= sys.float_info.max or not accepts(value):  # NaN is not
            raise _refuse(field, value, wanted)

    return check


def _count(least: int) -> _Check:
    """A whole number."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _refuse(field, value, f"a whole number, {least} or more")

    return check


def _flag(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise _refuse(field, value, "True or False")


def _kind(kind: type) -> _Check:
    """An object of one class."""

    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise ConfigError(f"{field.name} must be a {kind.__name__}, not {type(value).__name__}")

    return check


class Pricing(Protocol):
    """Knows what answers cost: `Prices`, or another object with this method."""

    def cost(self, usage: Usage, model: str, endpoint: str = "") -> float:
        """What an answer cost, in any currency; called once when it is whole."""


def _pricing(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not callable(getattr(value, "cost", None)):
        raise _refuse(field, value, "Prices, or an object with its method cost")


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


def _as_tags(value: Iterable[str]) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigError(f"tags must be several texts, not {type(value).__name__}")
    tags = frozenset(value)
    if not all(isinstance(tag, str) and tag for tag in tags):
        raise ConfigError("tags must be texts that are not empty")
    return tags


def _credentials(_: object, field: attrs.Attribute[Any], value: object) -> None:
    """Never shown, whatever it is."""
    if value is None:
        return
    from triollama.auth.credentials import Basic, Bearer  # noqa: PLC0415 - few endpoints have any

    if not isinstance(value, Basic | Bearer):
        raise ConfigError(f"{field.name} must be Bearer(…) or Basic(…), not {type(value).__name__}")


_OUR_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
    | {"transfer-encoding"}
)


@attrs.frozen
class EndpointConfig:
    """One Ollama server.

    Attributes:
        url: ``http://host:port`` or ``https://host``; without a port, http means 80 and https 443,
            as in any URL. A path, a query or a user is refused; see `auth` for the last.
        name: what statistics, errors and records call it; by default ``host:port``.
        max_in_flight: requests that the engine sends to it at a time. Further ones wait here, in
            the engine's own line, where they can still go elsewhere.
        num_parallel: how many requests one model works on at once there, its
            ``OLLAMA_NUM_PARALLEL``; None lets the engine find out.
        weight: its share of the traffic, relative to the others.
        tags: names of what it is or has; a request can ask for endpoints with certain ones.
        auth: who we are: `Bearer` or `Basic`. None: for ``https://ollama.com`` the key in the
            environment's ``OLLAMA_API_KEY``, if there is one; for any other server nothing.
        headers: sent with every request, for a proxy in front of the server, for instance. Values
            are never shown.
        tls: for ``https``.
    """

    url: str
    name: str = ""
    max_in_flight: int = attrs.field(default=256, validator=_count(1), kw_only=True)
    num_parallel: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_count(1)), kw_only=True
    )
    weight: float = attrs.field(
        default=1.0,
        validator=_number("a number, more than 0", lambda value: value > 0),
        kw_only=True,
    )
    tags: frozenset[str] = attrs.field(factory=frozenset, converter=_as_tags, kw_only=True)
    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=_as_headers, repr=False, kw_only=True
    )
    tls: TLSConfig | None = attrs.field(default=None, kw_only=True)
    auth: Bearer | Basic | None = attrs.field(
        default=None, validator=_credentials, repr=False, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        address = parse_endpoint_url(self.url)
        object.__setattr__(self, "url", address.url)
        if not isinstance(self.name, str):
            raise ConfigError(f"name must be text, not {type(self.name).__name__}")
        object.__setattr__(self, "name", self.name or address.authority)
        if self.tls is not None and address.scheme != "https":
            raise ConfigError(f"{self.name}: tls is given, but the address is not https")
        if self.auth is not None and any(each.lower() == "authorization" for each in self.headers):
            raise ConfigError(f"{self.name}: auth is given, and headers have Authorization as well")
        if self.num_parallel is not None and self.num_parallel > self.max_in_flight:
            raise ConfigError(
                f"{self.name}: num_parallel ({self.num_parallel}) is more than max_in_flight "
                f"({self.max_in_flight}), so it can never be reached"
            )

    def __reduce__(self) -> tuple[object, ...]:
        # Workers in other processes get it, secrets included; a read-only mapping has no pickle.
        fields = attrs.asdict(self, recurse=False) | {"headers": dict(self.headers)}
        return _remake_endpoint, (fields,)


def _remake_endpoint(fields: dict[str, Any]) -> EndpointConfig:
    return EndpointConfig(**fields)


def as_endpoint(given: str | EndpointConfig) -> EndpointConfig:
    """An address or an `EndpointConfig`, as the latter.

    Raises:
        ConfigError: the address is not usable.
    """
    return given if isinstance(given, EndpointConfig) else EndpointConfig(given)


@attrs.frozen(kw_only=True)
class ProbeConfig:
    """How the endpoints' health is asked for.

    Attributes:
        enabled: whether it is at all.
        interval_s: between two looks at an endpoint's version and loaded models.
        tags_interval_s: between two looks at the models that it has.
        timeout_s: for version and loaded models together; the models that it has are given as long
            again.
        jitter: how far an interval strays, as a share, so that probes do not come all at once.
        failures_max: probes that fail in a row before an endpoint is taken out of service.
        successes_min: good answers in a row before its probes count as good again.
    """

    enabled: bool = attrs.field(default=True, validator=_flag)
    interval_s: float = attrs.field(default=5.0, validator=_seconds())
    tags_interval_s: float = attrs.field(default=60.0, validator=_seconds())
    timeout_s: float = attrs.field(default=2.0, validator=_seconds())
    jitter: float = attrs.field(
        default=0.2, validator=_number("from 0 to 1", lambda value: 0 <= value <= 1)
    )
    failures_max: int = attrs.field(default=3, validator=_count(1))
    successes_min: int = attrs.field(default=2, validator=_count(1))

    def __attrs_post_init__(self) -> None:
        if self.tags_interval_s < self.interval_s:
            raise ConfigError(
                f"tags_interval_s ({self.tags_interval_s:g}) is less than interval_s "
                f"({self.interval_s:g}): the models are asked for at some of these looks"
            )


_SCOPES = ("engine", "endpoint", "model", "caller")


@attrs.frozen
class RateLimit:
    """How much may be sent.

    Attributes:
        scope: ``engine`` for all together, or each ``endpoint``, ``model`` or ``caller``.
        key: the one endpoint, model or caller that is meant; empty: each of them has this limit of
            its own. For one that has a limit with its key, that one counts instead.
        requests_per_s: requests per second; None is without limit.
        tokens_per_min: tokens of prompts and answers per minute; None is without limit.
        burst_s: how many requests may be saved up while nothing is sent, in seconds at this rate.
        tokens_burst_s: the same of tokens. No request may cost more than that, so it is a minute.
    """

    scope: str
    key: str = ""
    requests_per_s: float | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(_number("more than 0", lambda value: value > 0)),
        kw_only=True,
    )
    tokens_per_min: float | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(_number("more than 0", lambda value: value > 0)),
        kw_only=True,
    )
    burst_s: float = attrs.field(default=1.0, validator=_seconds(), kw_only=True)
    tokens_burst_s: float = attrs.field(default=60.0, validator=_seconds(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.scope not in _SCOPES:
            raise ConfigError(f"scope must be one of {', '.join(_SCOPES)}")
        if not isinstance(self.key, str) or (self.key and self.scope == "engine"):
            raise ConfigError("key must be text, and is for the scopes below engine")
        if self.requests_per_s is None and self.tokens_per_min is None:
            raise ConfigError(f"a limit of scope {self.scope} limits nothing; give it a rate")


def _as_limits(value: Iterable[RateLimit]) -> tuple[RateLimit, ...]:
    if isinstance(value, RateLimit) or not isinstance(value, Iterable):
        raise ConfigError(f"limits must be several of RateLimit, not {type(value).__name__}")
    limits = tuple(value)
    if not all(isinstance(limit, RateLimit) for limit in limits):
        raise ConfigError("limits must be several of RateLimit")
    named = [(limit.scope, limit.key) for limit in limits]
    for scope, key in named:
        if named.count((scope, key)) > 1:
            raise ConfigError(f"there are two limits for {scope} {key}".rstrip())
    return limits


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
        attempts_max: attempts in a row that may bring nothing new; then the request fails. One
            that brings part of the answer begins the count again.
        retry_wait_s: how long a request waits for a sign that some endpoint works, when its
            attempt has failed and the retry budget is spent.
        line_max: requests that may wait for an endpoint; one more raises `OverloadError`.
        line_bytes_high: the bodies of those requests together; one more raises `OverloadError`.
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
        probe: how the endpoints' health is asked for.
        limits: how much may be sent.
        check_models: refuse chats, completions and embeddings here that their model cannot do
            (tools, thinking, images, …), by what a server tells of it; asked for once a minute.
        prices: what `Usage.cost` of chats and completions is counted by, such as `Prices`; None
            leaves it 0. Of an answer that went on elsewhere the last endpoint's price counts.
    """

    connect_s: float = attrs.field(default=5.0, validator=_seconds())
    first_token_s: float = attrs.field(default=600.0, validator=_seconds(infinite=True))
    stall_s: float = attrs.field(default=60.0, validator=_seconds(infinite=True))
    total_s: float = attrs.field(default=math.inf, validator=_seconds(infinite=True))
    attempts_max: int = attrs.field(default=4, validator=_count(1))
    retry_wait_s: float = attrs.field(default=10.0, validator=_seconds(zero=True))
    line_max: int = attrs.field(default=10_000, validator=_count(0))
    line_bytes_high: int = attrs.field(default=256 * 1024 * 1024, validator=_count(1))
    line_s: float = attrs.field(default=600.0, validator=_seconds(infinite=True))
    buffer_bytes_high: int = attrs.field(default=256 * 1024, validator=_count(1))
    line_bytes_max: int = attrs.field(default=16 * 1024 * 1024, validator=_count(1024))
    answer_bytes_max: int = attrs.field(default=256 * 1024 * 1024, validator=_count(1024))
    header_bytes_max: int = attrs.field(default=16 * 1024, validator=_count(1024))
    idle_s: float = attrs.field(default=60.0, validator=_seconds())
    linger_s: float = attrs.field(default=0.5, validator=_seconds())
    grace_s: float = attrs.field(default=5.0, validator=_seconds(zero=True))
    probe: ProbeConfig = attrs.field(factory=ProbeConfig, validator=_kind(ProbeConfig))
    limits: tuple[RateLimit, ...] = attrs.field(default=(), converter=_as_limits)
    check_models: bool = attrs.field(default=False, validator=_flag)
    prices: Pricing | None = attrs.field(default=None, validator=_pricing)
