"""How an endpoint is reached with the credentials that it has.

`make_access` settles them: those of its configuration, or for ollama.com the environment's key. A
key and a password are headers like others, put together once. Only an endpoint whose tokens come
from a function is a `TokenAccess`, so that no other one pays for it.

Bounds: a refused token is renewed once per request, and where renewing did not help, not again for
`RENEW_S`: a server that refuses everything makes no traffic at the token service.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from functools import partial

import attrs
import httpx
import trio

from triollama._config import EndpointConfig, EngineConfig
from triollama._errors import AccessDeniedError
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.document import Inflow
from triollama.actors.streams.halt import Halt
from triollama.actors.streams.messages import Call
from triollama.auth.environment import KEY_VARIABLE, key_for
from triollama.auth.errors import TokenError
from triollama.auth.tokens import Held, TokenKeeper
from triollama.wire.upload import SizedStream

__all__ = ["Keepers", "TokenAccess", "make_access"]

RENEW_S = 10.0
"""From a token that was renewed for nothing to the next renewal because of a refusal."""

UNAUTHORIZED = 401

Keepers = MutableMapping[int, TokenKeeper]
"""By the identity of their `Bearer`: endpoints that have the same one share its tokens."""


def make_access(
    endpoint: EndpointConfig,
    transport: httpx.AsyncBaseTransport,
    config: EngineConfig,
    keepers: Keepers,
    environment: Mapping[str, str],
) -> EndpointAccess:
    """How calls reach an endpoint that has credentials, or may have some by the environment.

    Args:
        endpoint: the endpoint.
        transport: carries the requests.
        config: the clocks and limits.
        keepers: those that are in use; a new one is added.
        environment: its variables.

    Raises:
        ConfigError: the environment's key cannot be one.
    """
    auth = endpoint.auth
    if auth is None and not any(name.lower() == "authorization" for name in endpoint.headers):
        auth = key_for(endpoint.url, environment.get(KEY_VARIABLE))
        endpoint = attrs.evolve(endpoint, auth=auth)
    if auth is None or auth.source is None:
        return EndpointAccess(endpoint, transport, config)
    keeper = keepers.get(id(auth))
    if keeper is None:
        keeper = keepers[id(auth)] = TokenKeeper(auth, auth.source)
    return TokenAccess(endpoint, transport, config, keeper)


class TokenAccess(EndpointAccess):
    """An endpoint whose tokens come from a function.

    Args:
        endpoint: the endpoint.
        transport: carries the requests.
        config: the clocks and limits.
        keeper: has the tokens.
    """

    def __init__(
        self,
        endpoint: EndpointConfig,
        transport: httpx.AsyncBaseTransport,
        config: EngineConfig,
        keeper: TokenKeeper,
    ) -> None:
        super().__init__(endpoint, transport, config)
        self._keeper = keeper
        self._bare_headers = self._headers
        self._worn = 0
        self._was_accepted = False
        self._renew_after_s = -math.inf

    async def attempt(self, call: Call, inflow: Inflow, halt: Halt | None = None) -> None:
        """See `EndpointAccess.attempt`; a token that is refused is renewed, once.

        Raises:
            TokenError: there is no token.
        """
        halt = halt or Halt()
        held = await self._wear(0, halt)
        refused: AccessDeniedError | None = None
        try:
            await super().attempt(call, inflow, halt)
        except AccessDeniedError as error:
            if not self._may_renew(error, held):
                raise
            refused = error
        if refused is not None:
            if (await self._wear(held.number, halt)).number == held.number:
                raise refused
            await super().attempt(call, inflow, halt)
        self._was_accepted = True

    async def order(self, call: Call, upload: SizedStream | None = None) -> int:
        """See `EndpointAccess.order`; a token that is refused is renewed, once.

        An upload is not sent again, since it has been read: but the next request has a new token.

        Raises:
            TokenError: there is no token.
        """
        halt = Halt()
        held = await self._wear(0, halt)
        refused: AccessDeniedError | None = None
        status = 0
        try:
            status = await super().order(call, upload)
        except AccessDeniedError as error:
            if not self._may_renew(error, held):
                raise
            refused = error
        if refused is not None:
            is_same = (await self._wear(held.number, halt)).number == held.number
            if is_same or upload is not None:
                raise refused
            status = await super().order(call)
        self._was_accepted = True
        return status

    async def _wear(self, refused: int, halt: Halt) -> Held:
        """Put a token into the headers, and nothing waits between that and their use."""
        held = None if refused else self._keeper.get_nowait()
        if held is None:
            try:
                held = await halt.guarded(partial(self._keeper.get, refused))
            except TokenError as error:
                error.endpoint = self.name
                raise
        if held.number != self._worn:
            self._worn = held.number
            value = f"Bearer {held.value}".encode("ascii")
            self._headers = [*self._bare_headers, (b"Authorization", value)]
            # The one before may still be under way.
            self._secrets = (*self._secrets[-1:], held.value)
            self._routes.clear()
        return held

    def _may_renew(self, error: AccessDeniedError, held: Held) -> bool:
        """Whether another token may help, and may be asked for."""
        if error.status != UNAUTHORIZED or error.is_servers_own:
            return False
        if self._keeper.number != held.number or self._keeper.is_busy:
            return True  # somebody else has asked, or does
        now_s = trio.current_time()
        if not self._was_accepted and now_s < self._renew_after_s:
            return False
        self._was_accepted, self._renew_after_s = False, now_s + RENEW_S
        return True
