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

_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "certificate required: give TLSConfig(client_cert_file=…)",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not know the authority of our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server refuses our certificate",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the server refuses the kind of our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our certificate is revoked",
}
"""What a server says of us, by OpenSSL's names. In TLS 1.3 it says so after the handshake."""


def tls_words(error: ssl.SSLError) -> str:
    """Plain words for what OpenSSL raised."""
    reason = error.reason or "the connection has ended"
    return _ALERTS.get(reason) or reason.replace("_", " ").lower()


@lru_cache(maxsize=64)  # loading the system's certificates takes 20 ms and more
def open_context(config: TLSConfig) -> ssl.SSLContext:
    """The context for `config`. Reads files.

    Raises:
        ConfigError: a file is missing or not what it should be.
    """
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        if config.client_cert_file is not None:
            context.load_cert_chain(
                config.client_cert_file, config.client_key_file, password=_refuse_to_ask
            )
    except _EncryptedKeyError:
        named = config.client_key_file or config.client_cert_file
        raise ConfigError(
            f"the key in {named} is encrypted; give one that is not, in a file that only this "
            "program's user may read"
        ) from None
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(path) for path in attrs.astuple(config) if path is not None)
        raise ConfigError(f"TLS files {files}: {_reason(error)}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class _EncryptedKeyError(Exception):
    """A password would be needed."""


def _refuse_to_ask() -> str:
    # Without this OpenSSL asks on the terminal, and everything waits.
    raise _EncryptedKeyError


def _reason(error: OSError) -> str:
    """The words of what OpenSSL, or the system, says of a file."""
    code = getattr(error, "reason", None)
    if code == "KEY_VALUES_MISMATCH":
        return "the key is not that of the certificate"
    if code is not None:
        return str(code).replace("_", " ").lower()
    if isinstance(error, ssl.SSLError):  # "PEM lib" is all that it says
        return "a certificate and its key, in PEM, are not in there"
    return error.strerror or "not usable"
