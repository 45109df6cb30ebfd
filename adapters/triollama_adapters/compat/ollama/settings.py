"""What a client is made with: addresses, headers and time-outs, as the engine has them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import httpx

from triollama import Basic, Bearer, EndpointConfig, EngineConfig, ProbeConfig, TLSConfig
from triollama._address import host_from_environment

__all__ = ["BREAK_RULES", "CLOUD_URL", "Settings", "cloud_settings", "settings_of"]

CLOUD_URL: Final = "https://ollama.com"
"""Where the web is searched, whatever server the models are on."""

BREAK_RULES: Final = ("continue", "restart", "raise")

HostGiven = str | EndpointConfig | None
_OURS = frozenset({"accept", "content-type", "user-agent", "accept-encoding", "host"})
_TAKEN = "host, timeout, headers, verify, cert, auth, transport, trust_env, config, on_break"


@attrs.frozen(repr=False)
class Settings:
    """What an engine is opened with, once it is needed.

    Attributes:
        endpoints: the servers.
        config: clocks and limits.
        transport: carries all requests in place of the engine's own connections, or None.
        bearer: the key for the cloud; empty if there is none.
        on_break: what to do when an answer breaks.
    """

    endpoints: tuple[EndpointConfig, ...]
    config: EngineConfig
    transport: httpx.AsyncBaseTransport | None
    bearer: str
    on_break: str


def settings_of(
    host: HostGiven | Sequence[str | EndpointConfig],
    environ: Mapping[str, str],
    *,
    timeout: Any = None,
    headers: Mapping[str, str | None] | None = None,
    config: EngineConfig | None = None,
    on_break: str = "continue",
    transport: httpx.AsyncBaseTransport | None = None,
    verify: Any = True,
    cert: Any = None,
    auth: Any = None,
    follow_redirects: bool = True,  # noqa: ARG001 - Ollama redirects nothing that is asked here
    trust_env: bool = True,  # noqa: ARG001 - no proxy of the environment is ever used
    **unknown: Any,
) -> Settings:
    """Read the arguments of a client; see `Client`.

    Raises:
        TypeError: an argument is for httpx alone.
        ConfigError: a value is not usable.
    """
    if unknown:
        names = ", ".join(sorted(unknown))
        raise TypeError(f"{names}: not on this engine, which takes {_TAKEN}")
    if on_break not in BREAK_RULES:
        raise TypeError(f"on_break must be one of {', '.join(BREAK_RULES)}")
    sent = {name: text for name, text in (headers or {}).items() if text is not None}
    sent = {name: text for name, text in sent.items() if name.lower() not in _OURS}
    told = next((text for name, text in sent.items() if name.lower() == "authorization"), "")
    bearer = told.partition(" ")[2] if told.startswith("Bearer ") else ""
    tls = _tls(verify, cert)
    endpoints = [
        each
        if isinstance(each, EndpointConfig)
        else EndpointConfig(
            host_from_environment(each),
            headers=sent,
            tls=tls if each and each.startswith("https:") else None,
            auth=_auth(auth),
        )
        for each in _hosts(host, environ)
    ]
    return Settings(
        endpoints=tuple(endpoints),
        config=config or _config(timeout, probes=len(endpoints) > 1),
        transport=transport,
        bearer=bearer or ("" if told else environ.get("OLLAMA_API_KEY", "")),
        on_break=on_break,
    )


def cloud_settings(settings: Settings) -> Settings:
    """What an engine is opened with that searches the web.

    Raises:
        ValueError: there is no key for it.
    """
    if not settings.bearer:
        raise ValueError(
            "the web is searched by ollama.com, which wants a key: set OLLAMA_API_KEY, or give "
            "headers={'Authorization': 'Bearer …'}"
        )
    cloud = EndpointConfig(CLOUD_URL, auth=Bearer(settings.bearer))
    return attrs.evolve(settings, endpoints=(cloud,))


def _hosts(
    host: HostGiven | Sequence[str | EndpointConfig], environ: Mapping[str, str]
) -> Sequence[str | EndpointConfig]:
    if isinstance(host, str | EndpointConfig) and host:
        return (host,)
    return tuple(host) if host else (environ.get("OLLAMA_HOST", ""),)  # type: ignore[arg-type]


def _auth(auth: Any) -> Basic | Bearer | None:
    return Basic(*auth) if isinstance(auth, tuple) else auth


def _tls(verify: Any, cert: Any) -> TLSConfig | None:
    """Certificates as httpx takes them: a file of authorities; a file, or files, of our own."""
    if verify is True and cert is None:
        return None
    if not isinstance(verify, bool | str | Path):
        raise TypeError("verify takes the file of the authorities to trust")
    if verify is False:
        raise TypeError("verify=False: certificates are always checked; give the authority's file")
    ours = (cert,) if isinstance(cert, str | Path) else tuple(cert or ())
    return TLSConfig(
        ca_file=None if verify is True else verify,
        client_cert_file=ours[0] if ours else None,
        client_key_file=ours[1] if len(ours) > 1 else None,
    )


def _config(timeout: Any, *, probes: bool) -> EngineConfig:
    """The engine's clocks for the one time-out that httpx has.

    One server alone is not asked how it is: there is no other one to go to.
    """
    probe = ProbeConfig(enabled=probes)
    given = httpx.Timeout(timeout)
    read_s = math.inf if given.read is None else given.read
    config = EngineConfig(probe=probe, first_token_s=read_s, stall_s=read_s)
    return config if given.connect is None else attrs.evolve(config, connect_s=given.connect)
