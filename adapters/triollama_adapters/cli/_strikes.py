"""What is done to the servers of ``triollama demo``: one is killed, then another one is stopped.

Owns the order and the moment of both. A server is struck only while enough of its streams run and
have brought some text, so that a strike is never one at an idle server. Counting and striking
happen without a checkpoint in between: the number told is the number that ran in that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs
import trio

from triollama_adapters.cli._readers import Reader

__all__ = ["Strike", "Strikes"]

CHUNKS_MIN: Final = 40
"""Pieces that a stream has brought before it counts: it is well inside its answer, and whoever
watches has seen all servers at work."""

AFTER_S: Final = 2.0
"""Between the two strikes, in seconds: the streams of the first have long gone on by then."""

LOOK_S: Final = 0.02
"""Between two counts, in seconds: half of what one token takes in the demo."""


@attrs.frozen
class Strike:
    """What happened to a server.

    Attributes:
        endpoint: its name.
        readers: those whose streams ran there.
    """

    endpoint: str
    readers: tuple[Reader, ...]


class Strikes:
    """Kills one server and stops another.

    Args:
        readers: who reads.
        names: of the servers.
        kill: kills one, at once.
        stop: stops one, at once.

    Attributes:
        killed: the first strike; None if it has not come.
        stalled: the second one; None as above.
        waits_s: by strike, ``killed`` or ``stalled``: the longest pause of each of its readers, in
            seconds, up to the next strike. Those of the second are there after `end`.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        names: Sequence[str],
        *,
        kill: Callable[[str], None],
        stop: Callable[[str], None],
    ) -> None:
        self._readers = readers
        self._names = names
        self._kill = kill
        self._stop = stop
        self.killed: Strike | None = None
        self.stalled: Strike | None = None
        self.waits_s: dict[str, list[float]] = {}

    async def run(self, enough: int) -> None:
        """Strike twice, each time the server with the most streams.

        It waits for the moment as long as it takes: cancel it when the readers are done.

        Args:
            enough: streams that must run there, for the first; for the second one is enough.
        """
        self.killed = await self._strike(self._names, enough, self._kill)
        await trio.sleep(AFTER_S)
        self._note("killed", self.killed)
        left = [name for name in self._names if name != self.killed.endpoint]
        self.stalled = await self._strike(left, 1, self._stop)

    def end(self) -> None:
        """All readers are done: note how long those of the last strike waited."""
        if self.stalled is not None:
            self._note("stalled", self.stalled)
        elif self.killed is not None:
            self._note("killed", self.killed)

    def state_of(self, name: str) -> str:
        """What was done to a server, in a word."""
        if self.killed is not None and self.killed.endpoint == name:
            return "killed"
        if self.stalled is not None and self.stalled.endpoint == name:
            return "stopped"
        return "runs"

    async def _strike(
        self, names: Sequence[str], enough: int, strike: Callable[[str], None]
    ) -> Strike:
        while True:
            running = self._running()
            busiest = max(names, key=lambda name: len(running.get(name, ())))
            struck = running.get(busiest, [])
            if len(struck) >= enough:
                for reader in struck:
                    reader.mark()
                strike(busiest)
                return Strike(busiest, tuple(struck))
            await trio.sleep(LOOK_S)

    def _running(self) -> Mapping[str, list[Reader]]:
        """Readers well inside their answers, by the server that writes it."""
        found: dict[str, list[Reader]] = {}
        for reader in self._readers:
            if reader.is_running and reader.chunks >= CHUNKS_MIN:
                found.setdefault(reader.endpoint, []).append(reader)
        return found

    def _note(self, kind: str, strike: Strike) -> None:
        now_s = trio.current_time()
        self.waits_s[kind] = [reader.waited_s(now_s) for reader in strike.readers]
