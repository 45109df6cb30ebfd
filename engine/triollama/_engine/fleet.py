"""Which servers take part; that may change while requests run."""

from __future__ import annotations

from triollama._config import EndpointConfig, as_endpoint
from triollama._engine.base import Base


class Fleet(Base):
    """The part of `Engine` that adds, changes, drains and removes endpoints."""

    def add_endpoint(self, endpoint: str | EndpointConfig) -> None:
        """Let one more server take part, from now on.

        Args:
            endpoint: its address, or all about it.

        Raises:
            ConfigError: it takes part already, by its name or its address.
        """
        self._runtime.add_endpoint(as_endpoint(endpoint))

    def update_endpoint(self, endpoint: EndpointConfig) -> None:
        """Replace what is known of the endpoint of that name; what runs there goes on as it began.

        Args:
            endpoint: all about it, with the name that it has.

        Raises:
            ConfigError: there is none of that name, or another one has that address.
        """
        self._runtime.update_endpoint(endpoint)

    async def drain_endpoint(self, name: str) -> None:
        """Send an endpoint nothing new, and wait until nothing runs there.

        If cancelled, it goes on being drained; `update_endpoint` puts it back in service.

        Raises:
            ConfigError: there is none of that name.
        """
        await self._runtime.drain_endpoint(name)

    async def remove_endpoint(self, name: str) -> None:
        """Take an endpoint out of the fleet: nothing new is sent to it, what runs there ends.

        Waits for that; if cancelled, it goes on all the same.

        Raises:
            ConfigError: there is none of that name.
        """
        await self._runtime.remove_endpoint(name)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names of the endpoints, in the configured order."""
        return self._runtime.endpoints
