"""The options of ``triollama load`` that say for whom the load is. No IO."""

from __future__ import annotations

import os
from typing import Annotated, Final

import attrs
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from triollama import EndpointConfig
from triollama._address import host_from_environment
from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_words import duration_s
from triollama_adapters.cli._run import SIMULATORS_MAX
from triollama_adapters.loadtest.plan import Api, Routing, Target

__all__ = ["ANYBODY", "WHOM", "Whom"]

WHOM: Final = Group("Whom", sort_key=3)


@Parameter(name="*", group=WHOM)
@attrs.frozen(kw_only=True)
class Whom:
    """For whom the load is.

    Attributes:
        endpoint: Address of an Ollama server or a gateway; repeat it for several. Default:
            OLLAMA_HOST, or this machine.
        simulate: Start this many simulated servers instead, and stop them at the end.
        api: chat, generate or embed of Ollama; or openai, which is chat over /v1 and tells no
            times of the server.
        routing: How several endpoints share the load: even, each in turn; or engine, as
            triollama's own pool chooses, which queues, retries and goes on elsewhere.
        access: What the servers want to see.
        connect_timeout: For having a connection.
        first_token_timeout: From sending a request to its first token.
        stall_timeout: Between two chunks.
        timeout: For a whole request.
    """

    endpoint: Annotated[tuple[str, ...], Parameter(negative_iterable=(), show_default=False)] = ()
    access: Annotated[Access, Parameter(name="*", group=WHOM)] = NOTHING_GIVEN
    simulate: Annotated[
        int, Parameter(validator=Number(gte=0, lte=SIMULATORS_MAX), show_default=False)
    ] = 0
    api: Api = "chat"
    routing: Routing = "even"
    connect_timeout: str = "5s"
    first_token_timeout: str = "120s"  # noqa: S105 - no secret
    stall_timeout: str = "30s"
    timeout: str = "600s"

    def addresses(self) -> tuple[str, ...]:
        """Those that were given, or the one that the environment names; none if simulated.

        Raises:
            CliError: servers and simulated ones, or one of them twice.
            ConfigError: an address is not usable.
        """
        if self.endpoint and self.simulate:
            raise CliError("--endpoint and --simulate exclude each other; give one of them")
        if self.simulate:
            return ()
        given = self.endpoint or (host_from_environment(os.environ.get("OLLAMA_HOST")),)
        urls = [EndpointConfig(each).url for each in given]
        for url in urls:
            if urls.count(url) > 1:
                raise CliError(f"--endpoint names {url} twice; give each server once")
        return tuple(urls)

    def target(self, endpoints: tuple[str, ...]) -> Target:
        """The same as a value of the plan.

        Args:
            endpoints: addresses, those of simulated servers included.

        Raises:
            CliError: a header is not 'NAME: VALUE', or the variable of the key is not there.
            LoadTestError: a time is not one.
        """
        return Target(
            endpoints=endpoints,
            api=self.api,
            routing=self.routing,
            headers=self.access.credentials().as_headers(),
            connect_s=duration_s("--connect-timeout", self.connect_timeout),
            first_token_s=duration_s("--first-token-timeout", self.first_token_timeout),
            stall_s=duration_s("--stall-timeout", self.stall_timeout),
            total_s=duration_s("--timeout", self.timeout),
        )


ANYBODY: Final = Whom()
