"""TLS settings, and the contexts made of them.

Certificates and host names are always checked; there is no switch to turn that off. To trust a
server of your own, give its authority's certificate as `TLSConfig.ca_file`.
"""

from __future__ import annotations

import ssl
from functools import lru_cache

import attrs

from triollama._config import TLSConfig
from triollama._errors import ConfigError


@lru_cache(maxsize=64)  # loading the system's certificates takes 20 ms and more
def open_context(config: TLSConfig) -> ssl.SSLContext:
    """The context for `config`. Reads files.

    Raises:
        ConfigError: a file is missing or not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        if config.client_cert_file is not None:
            context.load_cert_chain(config.client_cert_file, config.client_key_file)
    except (OSError, ssl.SSLError) as error:
        named = [str(path) for path in attrs.astuple(config) if path is not None]
        reason = error.strerror or getattr(error, "reason", None) or "not usable"
        raise ConfigError(f"TLS files {', '.join(named)}: {reason}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context
