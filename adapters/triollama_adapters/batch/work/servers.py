"""What a job sees of the engine's endpoints. A thin shell: no decisions."""

from __future__ import annotations

from typing import Final, Protocol

import trio

from triollama import Engine, TriollamaError
from triollama.api import name_key
from triollama_adapters.batch.work.capacity import EndpointLook

__all__ = ["EngineServers", "Servers"]

TAGS_S: Final = 10.0
"""How long an endpoint may take to list its models; then they are unknown, as before."""


class Servers(Protocol):
    """Endpoints that can be looked at."""

    def look(self) -> list[EndpointLook]:
        """All of them, now. Never waits."""

    async def learn_models(self) -> None:
        """Ask each which models it has; those that do not say are as before."""


class EngineServers:
    """The endpoints of an engine.

    Args:
        engine: whose.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._available: dict[str, frozenset[str]] = {}

    def look(self) -> list[EndpointLook]:
        """All of them, now. Never waits."""
        return [
            EndpointLook(
                each.name,
                each.state != "open" and not each.is_draining,
                each.slots,
                each.in_flight_max,
                frozenset(each.loaded),
                self._available.get(each.name),
            )
            for each in self._engine.statistics().endpoints
        ]

    async def learn_models(self) -> None:
        """Ask each which models it has; those that do not say are as before."""
        async with trio.open_nursery() as nursery:
            for name in self._engine.endpoints:
                nursery.start_soon(self._learn, name)

    async def _learn(self, name: str) -> None:
        with trio.move_on_after(TAGS_S):
            try:
                tags = await self._engine.tags(endpoint=name)
            except TriollamaError:
                return
            self._available[name] = frozenset(name_key(each.name) for each in tags.models)
