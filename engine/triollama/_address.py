"""Where a server is: endpoint URLs, and the environment's ``OLLAMA_HOST``.

Owns the two grammars. An endpoint's is strict and says what to write instead; that of
``OLLAMA_HOST`` is Ollama's own, so that what works for its command line works here. No message
repeats a text that has an ``@`` in it: a password may stand before it.
"""

from __future__ import annotations

import ipaddress
import re

from attrs import frozen

from triollama._errors import ConfigError

__all__ = ["DEFAULT_PORT", "DEFAULT_URL", "Address", "host_from_environment", "parse_endpoint_url"]

DEFAULT_PORT = 11434
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"

_SCHEME_PORTS = {"http": 80, "https": 443}
_SHOWN_CHARS_MAX = 200  # of a bad address in a message
_HOST_CHARS_MAX = 253  # of a name in DNS
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?\Z", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}\Z")
_BEHIND = re.compile(r"[/?#\\]")  # where an authority ends
_EXAMPLE = f"write such as http://gpu-1:{DEFAULT_PORT}"


@frozen
class Address:
    """Where a server is, in one spelling for each place.

    Attributes:
        scheme: ``http`` or ``https``.
        host: a name in lower case, or an IP address; IPv6 without brackets.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host:port``, IPv6 in brackets: what the header ``Host`` carries."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """``scheme://host:port``, the port always shown."""
        return f"{self.scheme}://{self.authority}"


def parse_endpoint_url(text: str) -> Address:
    """Read an endpoint's URL. Case, a default port and a last slash make no difference.

    Without a port it is the scheme's: 80 or 443. ``0.0.0.0`` and ``[::]``, on which servers listen,
    mean this machine.

    Args:
        text: ``http://host:port`` or ``https://host:port``.

    Raises:
        ConfigError: anything else; the message says what to write.
    """
    if not isinstance(text, str):
        raise ConfigError(f"an endpoint must be a str, not {type(text).__name__}")
    text = text.strip()
    if "@" in text:
        raise ConfigError(
            "an endpoint's URL must not hold a user or password; give them as "
            "EndpointConfig(…, auth=triollama.Basic(user, password))"
        )
    scheme, found, rest = text.partition("://")
    if not found:
        raise _without_scheme(text)
    scheme = scheme.lower()
    if scheme not in _SCHEME_PORTS:
        raise _bad(text, f"the scheme must be http or https; {_EXAMPLE}")
    authority = _BEHIND.split(rest, maxsplit=1)[0]
    if rest.removeprefix(authority) not in {"", "/"}:
        raise _bad(text, f"no path, query or fragment may follow: write {scheme}://{authority}")
    host, port = _split_port(authority, text)
    return Address(
        scheme=scheme,
        host=_normal_host(host, text),
        port=_SCHEME_PORTS[scheme] if port is None else port,
    )


def host_from_environment(value: str | None) -> str:
    """Give the URL that ``OLLAMA_HOST`` stands for, read as Ollama reads it.

    Blanks and quotes around it are dropped. Without a scheme it is http on port 11434; with
    ``http://`` the port is 80 and with ``https://`` 443, if none is given. A host or a port may
    stand alone, IPv6 may lack its brackets, and a port that is no number becomes the default one.

    Args:
        value: the variable's value; None or empty if it is not set.

    Returns:
        A URL as `Address.url` has it.

    Raises:
        ConfigError: what it names is no endpoint: it has a path, a user, or an impossible host.
    """
    text = (value or "").strip().strip("\"'").strip()
    if text == "ollama.com":  # Ollama's own exception: its cloud is not on port 11434
        return "https://ollama.com:443"
    if "@" in text:  # Ollama would take "user" of "user:password@host" for the host
        raise ConfigError("OLLAMA_HOST must not hold a user or password")
    scheme, found, rest = text.partition("://")
    default = _SCHEME_PORTS.get(scheme, DEFAULT_PORT)
    if not found:
        scheme, rest, default = "http", text, DEFAULT_PORT
    authority, _, path = rest.partition("/")
    host, port = _split_like_go(authority)
    if not re.fullmatch(r"\+?[0-9]{1,9}", port) or int(port) > 65535:
        port = str(default)
    shown = f"[{host}]" if ":" in host else host or "127.0.0.1"
    try:
        return parse_endpoint_url(f"{scheme}://{shown}:{int(port)}/{path.strip('/')}").url
    except ConfigError as error:
        raise ConfigError(f"OLLAMA_HOST: {error}") from None


def _split_like_go(authority: str) -> tuple[str, str]:
    """Split host and port as Go's ``net.SplitHostPort`` does, with Ollama's fallback.

    Where there is no port, or the text cannot be split, all of it is the host.
    """
    host, colon, port = authority.rpartition(":")
    if colon and ":" not in host:
        return host, port
    if colon and host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    return authority.strip("[]"), ""


def _split_port(authority: str, text: str) -> tuple[str, int | None]:
    """Split host and port of a URL; None if there is no port."""
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return authority, None
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise _bad(text, "write an IPv6 address in brackets, such as http://[::1]:11434")
    if not port:
        return host, None
    if not _PORT.match(port) or not 0 < int(port) < 65536:
        raise _bad(text, "the port must be a number from 1 to 65535")
    return host, int(port)


def _normal_host(host: str, text: str) -> str:
    """Check a host and give it in its one spelling."""
    if host.startswith("[") and host.endswith("]"):
        try:
            address = ipaddress.IPv6Address(host[1:-1].partition("%")[0])
        except ValueError:
            raise _bad(text, "what stands in brackets is no IPv6 address") from None
        if "%" in host:
            raise _bad(text, "an IPv6 zone is not supported; use a name or a global address")
        return "::1" if address.is_unspecified else address.compressed
    try:  # the codec's time grows with the square of the length
        name = host[: _HOST_CHARS_MAX + 1].encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    if not _NAME.match(name) or len(name) > _HOST_CHARS_MAX:
        raise _bad(text, f"its host is missing or not a possible name; {_EXAMPLE}")
    try:
        is_any = ipaddress.IPv4Address(name).is_unspecified
    except ValueError:
        is_any = False
    return "127.0.0.1" if is_any else name


def _without_scheme(text: str) -> ConfigError:
    """Ask for a scheme, with what to write if that would be enough."""
    text = _BEHIND.split(text, maxsplit=1)[0]
    if text and "://" not in text:
        try:
            suggested = parse_endpoint_url(f"http://{text}")
        except ConfigError:
            return _bad(text, f"it has no scheme; {_EXAMPLE}")
        has_port = text.lower().endswith(f":{suggested.port}")
        port = suggested.port if has_port else DEFAULT_PORT
        better = Address("http", suggested.host, port).url
        return _bad(text, f"it has no scheme; write {better}")
    return _bad(text, f"it is empty; {_EXAMPLE}")


def _bad(text: str, why: str) -> ConfigError:
    """Say what is wrong with an address, without its path and query: a token may stand there."""
    scheme, found, rest = text.rpartition("://")
    shown = f"{scheme}{found}{_BEHIND.split(rest, maxsplit=1)[0]}"
    return ConfigError(f"endpoint {shown[:_SHOWN_CHARS_MAX]!r}: {why}")
