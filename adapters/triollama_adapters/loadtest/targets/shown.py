"""What a load's endpoints are shown of who we are, and how that is kept out of results.

A plan is data, so its endpoints have keys and headers, and never a function that gives tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

from triollama import AccessDeniedError, Bearer, EndpointConfig
from triollama.auth.environment import KEY_VARIABLE, key_for
from triollama.auth.telling import tell
from triollama.auth.veil import hide_in, secret_parts

__all__ = ["denial", "headers_of", "key_in", "secrets_of", "veiled"]

AUTHORIZATION = "authorization"


def key_in(url: str, headers: Mapping[str, str], environment: Mapping[str, str]) -> Bearer | None:
    """The key that the environment has for ``https://ollama.com``, as the engine would take it.

    Args:
        url: of the endpoint; any other has none.
        headers: its own; with an ``Authorization`` nothing is added.
        environment: its variables.

    Raises:
        ConfigError: the variable cannot be a key.
    """
    if any(name.lower() == AUTHORIZATION for name in headers):
        return None
    return key_for(url, environment.get(KEY_VARIABLE))


def headers_of(endpoint: EndpointConfig) -> dict[str, str]:
    """All that is sent with each request, credentials included."""
    value = "" if endpoint.auth is None else endpoint.auth.header()
    return {**endpoint.headers, **({"Authorization": value} if value else {})}


def secrets_of(endpoint: EndpointConfig) -> tuple[str, ...]:
    """What no sample, log or error may hold."""
    own = () if endpoint.auth is None else endpoint.auth.secrets()
    return (*own, *secret_parts(endpoint.headers))


def veiled(text: str, secrets: tuple[str, ...]) -> str:
    """The words of a server, which may repeat what it was sent, without that."""
    if not secrets or not text:
        return text
    error = Exception(text)
    hide_in(error, secrets)
    return str(error.args[0])


def denial(endpoint: EndpointConfig, status: int, text: str, path: str) -> str:
    """Why an endpoint does not let us in, as the engine says it.

    Args:
        endpoint: who it is.
        status: 401 or 403.
        text: the server's own words.
        path: what was asked for.
    """
    error = AccessDeniedError(text or "no reason given", status=status, endpoint=endpoint.name)
    tell(error, endpoint.url, auth=endpoint.auth, headers=endpoint.headers, path=path)
    return str(error)
