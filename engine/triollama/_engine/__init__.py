"""`Engine`: what an application calls. One module per kind of call, put together here.

A method turns its arguments into a call, and lets `triollama._runtime` make it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from triollama._engine.account import Account
from triollama._engine.answers import Answers
from triollama._engine.checking import Checking
from triollama._engine.fields import BreakRule
from triollama._engine.fleet import Fleet
from triollama._engine.models import Models
from triollama._engine.speech import Speech
from triollama._engine.talking import Talking
from triollama._engine.tokens import Tokens
from triollama._engine.tooling import Tooling
from triollama._engine.transfers import Transfers
from triollama._facts import Fact
from triollama._statistics import EngineStatistics, take_statistics
from triollama.actors.facts import Subscription

__all__ = ["BreakRule", "Engine"]


class Engine(
    Answers, Speech, Checking, Tooling, Talking, Models, Fleet, Transfers, Account, Tokens
):
    """Streams from a fleet of Ollama servers. Made by `open_engine`.

    All methods may be called from any number of tasks. Where a method takes ``endpoint``, it is the
    name of one endpoint, and without it the engine chooses. Errors are those of
    `triollama._errors`: the caller's (`CallerError`), one server's (`EndpointError`), this
    process's (`EngineError`).
    """

    def __repr__(self) -> str:
        running = self._runtime.streams.statistics().running
        return f"<Engine {len(self.endpoints)} endpoints, {running} running>"

    @asynccontextmanager
    async def subscribe(
        self, *kinds: type[Fact], capacity: int = 1_000
    ) -> AsyncIterator[Subscription]:
        """Hear what happens, in ``async with``: ``async for fact in facts``.

        Args:
            kinds: the classes of facts to hear, subclasses included; all without any.
            capacity: facts that may wait to be read. Further ones are dropped, and counted in
                ``facts.dropped``: nobody else waits for a slow subscriber.

        Raises:
            ConfigError: a capacity that makes no sense.
        """
        with self._runtime.facts.subscribe(capacity, kinds) as subscription:
            yield subscription

    def statistics(self) -> EngineStatistics:
        """A snapshot."""
        return take_statistics(self._runtime)
