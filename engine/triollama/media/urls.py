"""Which addresses of the web may be fetched at all, before any name is looked up. Pure."""

from __future__ import annotations

import httpx

from triollama.media.errors import FetchFailedError, FetchRefusedError

__all__ = ["parse_url", "port_of", "redirected"]

_PORTS = {"http": 80, "https": 443}
_URL_CHARS_MAX = 8192


def parse_url(url: object) -> httpx.URL:
    """Check an address before anything is looked up.

    Raises:
        FetchRefusedError: it may not be fetched.
    """
    if not isinstance(url, str) or len(url) > _URL_CHARS_MAX:
        raise FetchRefusedError(f"an address must be a str of at most {_URL_CHARS_MAX} characters")
    try:
        return _checked(httpx.URL(url.strip()))
    except (httpx.InvalidURL, ValueError):
        raise FetchRefusedError("this is no address: write https://host/path") from None


def _checked(target: httpx.URL) -> httpx.URL:
    if target.scheme not in _PORTS:
        raise FetchRefusedError("only http and https are fetched", host=target.host)
    if not target.host:
        raise FetchRefusedError("an address without a host")
    if target.port is not None and not 0 < target.port < 65536:
        raise FetchRefusedError("an address whose port does not exist", host=target.host)
    if target.userinfo:
        raise FetchRefusedError("an address with a user or password", host=target.host)
    return target


def redirected(target: httpx.URL, location: bytes) -> httpx.URL:
    """Where a redirect leads to, checked like the first address."""
    try:
        text = location.decode("ascii")
        if not text or len(text) > _URL_CHARS_MAX:
            raise FetchFailedError("a redirect to nowhere", endpoint=target.host)
        return _checked(target.join(text))
    except (httpx.InvalidURL, ValueError):
        raise FetchFailedError("a redirect to what is no address", endpoint=target.host) from None


def port_of(target: httpx.URL) -> int:
    """The port of an address, or its scheme's."""
    return target.port or _PORTS[target.scheme]
