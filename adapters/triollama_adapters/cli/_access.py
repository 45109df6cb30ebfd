"""Who we are to the servers of a command: ``--header`` and ``--api-key-env``. No IO.

`Access` is what is given on the command line, the same with every command that asks servers;
`Credentials` is what comes of it. No text of either shows what is secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import attrs
from cyclopts import Parameter

from triollama import Bearer, ConfigError, EndpointConfig
from triollama._address import host_from_environment
from triollama_adapters.cli._failures import CliError

__all__ = ["NOTHING_GIVEN", "NOTHING_SHOWN", "Access", "Credentials", "header_name"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SURE_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
"""What is a variable's name, and may be shown: anything else may be the key itself."""

_BETWEEN: Final = re.compile(r"[:=]")
"""Between a header's name, which has neither, and its value."""

AUTHORIZATION: Final = "Authorization"


@attrs.frozen(kw_only=True)
class Credentials:
    """What is sent to each server.

    Attributes:
        headers: names and values.
        auth: the key, if there is one.
    """

    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    auth: Bearer | None = None

    def endpoints(self, urls: Sequence[str], **settings: Any) -> list[EndpointConfig]:
        """The servers of a command, with these credentials.

        Args:
            urls: their addresses; none: ``OLLAMA_HOST``, or this machine.
            settings: of each `EndpointConfig`.

        Returns:
            None at all if there is nothing to say: an engine takes the same server then.

        Raises:
            ConfigError: an address is not usable.
        """
        if not urls and not self.is_nothing:
            urls = (host_from_environment(os.environ.get("OLLAMA_HOST")),)
        return [
            EndpointConfig(url, headers=self.headers, auth=self.auth, **settings) for url in urls
        ]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is sent."""
        return self.auth is None and not self.headers

    def as_headers(self) -> dict[str, str]:
        """All as headers, the key included."""
        key = {} if self.auth is None else {AUTHORIZATION: self.auth.header()}
        return {**self.headers, **key}


NOTHING_SHOWN: Final = Credentials()


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Access:
    """What servers want to see before they answer.

    Attributes:
        header: Header that each server gets with every request, as 'NAME: VALUE'; repeat it for
            more. Other users of this machine may see it; for a key rather --api-key-env.
        api_key_env: The environment variable that holds the key of the servers, such as GPU_KEY.
            They get it as Authorization: Bearer KEY.
    """

    header: Annotated[tuple[str, ...], Parameter(negative_iterable=(), show_default=False)] = (
        attrs.field(default=(), repr=False)
    )
    api_key_env: Annotated[str | None, Parameter(show_default=False)] = None

    def credentials(self) -> Credentials:
        """What is sent. Reads the environment.

        Raises:
            CliError: a header is not of that form, or the variable is not there.
            ConfigError: a header or the key cannot be sent.
        """
        headers: dict[str, str] = {}
        for text in self.header:
            name, value = _parse_header(text)
            if name.lower() in map(str.lower, headers):
                raise CliError(f"--header gives {name} twice")
            headers[name] = value
        # Looked at here: an error then names the option rather than a server.
        headers = dict(EndpointConfig("http://localhost", headers=headers).headers)
        if self.api_key_env is None:
            return Credentials(headers=headers)
        if any(name.lower() == AUTHORIZATION.lower() for name in headers):
            raise CliError(
                "--api-key-env and a --header Authorization exclude each other; give one of them"
            )
        return Credentials(headers=headers, auth=_read_key(self.api_key_env))


NOTHING_GIVEN: Final = Access()


def header_name(text: str) -> str:
    """The name of a header that was given; empty if it has none.

    Args:
        text: as ``--header`` takes it.
    """
    found = _BETWEEN.search(text)
    return "" if found is None else text[: found.start()].strip()


def _parse_header(text: str) -> tuple[str, str]:
    """What is wrong is told without the text: it may be a secret."""
    name = header_name(text)
    value = _BETWEEN.split(text, maxsplit=1)[-1].strip(" \t")
    if not name or not value:
        raise CliError("--header takes 'NAME: VALUE', such as 'X-Api-Key: KEY'")
    return name, value


def _read_key(variable: str) -> Bearer:
    if not _VARIABLE.fullmatch(variable):
        raise CliError(
            "--api-key-env takes the name of an environment variable, such as GPU_KEY, and never "
            "the key itself"
        )
    shown = variable if _SURE_VARIABLE.fullmatch(variable) else "the variable it names"
    key = os.environ.get(variable, "").strip()
    if not key:
        state = "is empty" if variable in os.environ else "is not in the environment"
        raise CliError(f"--api-key-env: {shown} {state}; set it, and export it")
    try:
        return Bearer(key)
    except ConfigError as error:
        raise CliError(f"--api-key-env: {shown}: {error}") from None
