"""What an error of an endpoint with credentials says: what is missing, never a secret. No IO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from triollama._address import parse_endpoint_url
from triollama._errors import AccessDeniedError, TriollamaError
from triollama.auth.credentials import Basic, Bearer
from triollama.auth.environment import CLOUD_HOST, KEY_VARIABLE
from triollama.auth.veil import hide_in, secret_parts

__all__ = ["hint", "tell"]

_ABOUT_ACCOUNTS = frozenset({"/api/me", "/api/signout"})
"""Where 401 is about the account that the server itself has."""

_NO_REASON = "no reason given"


def tell(
    error: TriollamaError,
    url: str,
    *,
    auth: Bearer | Basic | None,
    headers: Mapping[str, str],
    path: str,
    secrets: Iterable[str] = (),
) -> None:
    """Make an error fit to be read.

    Args:
        error: what an attempt ended with; it is changed.
        url: the endpoint's.
        auth: its credentials.
        headers: the ones that a user gave it.
        path: the route that was asked.
        secrets: further ones that were sent.
    """
    own = () if auth is None else auth.secrets()
    hide_in(error, (*own, *secrets, *secret_parts(headers)))
    if isinstance(error, AccessDeniedError) and not error.is_servers_own:
        error.hint = hint(error.status, error.message, url, _sent(auth, headers), path=path)


def _sent(auth: Bearer | Basic | None, headers: Mapping[str, str]) -> str:
    """What was sent, in words; empty if nothing was."""
    if isinstance(auth, Basic):
        return "the user and password"
    if auth is not None:
        return "the bearer key" if auth.source is None else "the bearer token"
    if any(name.lower() == "authorization" for name in headers):
        return "the header Authorization"
    return ""


def hint(status: int, message: str, url: str, sent: str, *, path: str) -> str:
    """What is missing, or wrong; empty if that is not known.

    Args:
        status: 401 or 403.
        message: the server's own words.
        url: the endpoint's.
        sent: what was sent, in words; empty if nothing was.
        path: the route that was asked.
    """
    if path in _ABOUT_ACCOUNTS and not sent:
        return ""
    if status == 403:
        # Ollama gives a reason, but not where it refuses the name by which it is called.
        if message != _NO_REASON:
            return ""
        return f"{sent} sent may not do this" if sent else "it may not be called by this name"
    if sent:
        return f"{sent} sent {'are' if ' and ' in sent else 'is'} not accepted"
    if parse_endpoint_url(url).host == CLOUD_HOST:
        return f"it needs a key: set {KEY_VARIABLE}, or give EndpointConfig(…, auth=Bearer(key))"
    return "no credentials were sent: give EndpointConfig(…, auth=Bearer(key)), or Basic(…)"
