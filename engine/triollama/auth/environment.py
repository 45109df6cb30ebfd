"""``OLLAMA_API_KEY``: the key of Ollama's cloud, for that host alone.

The official client sends it to whichever host it talks to; here no other server ever sees it.
"""

from __future__ import annotations

from triollama._address import parse_endpoint_url
from triollama._errors import ConfigError
from triollama.auth.credentials import Bearer

__all__ = ["CLOUD_HOST", "KEY_VARIABLE", "key_for"]

KEY_VARIABLE = "OLLAMA_API_KEY"
CLOUD_HOST = "ollama.com"


def key_for(url: str, value: str | None) -> Bearer | None:
    """The key that the environment has for a server; None for all but ``https://ollama.com``.

    Args:
        url: the endpoint's.
        value: of the variable; None or blank if it is not set. Blanks around it are dropped.

    Raises:
        ConfigError: it cannot be a key.
    """
    key = (value or "").strip()
    address = parse_endpoint_url(url)
    if not key or address.scheme != "https" or address.host != CLOUD_HOST:
        return None
    try:
        return Bearer(key)
    except ConfigError as error:
        raise ConfigError(f"{KEY_VARIABLE}: {error}") from None
