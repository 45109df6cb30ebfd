"""What happens in ``triollama demo``, for its table and for its verdict.

Owns: the readers, the strikes, and the facts that the engine told meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from triollama import EndpointEjected, EngineStatistics, Fact, StreamContinued, StreamEnded
from triollama_adapters.cli._fleet_view import health_of
from triollama_adapters.cli._readers import Reader, compare, describe_spread
from triollama_adapters.cli._strikes import Strike, Strikes

__all__ = ["KINDS", "Show"]

KINDS: Final = (StreamContinued, StreamEnded, EndpointEjected)
"""The facts that `Show.hear` wants."""

_COLUMNS: Final = ("server", "health", "in flight", "done", "ejected", "came here")


@attrs.define
class Show:
    """The demo, as far as it has come.

    Attributes:
        readers: one per stream.
        strikes: what is done to the servers.
        ways: how streams went on, by way.
        gaps_s: of each stream that went on, from the failure to its next text, in seconds.
        arrived: how many went on at each server.
        done: how many ended well at each server.
        ejected: how often each server was taken out of service.
        unheard: facts that came too fast to be counted.
    """

    readers: Sequence[Reader]
    strikes: Strikes
    ways: Counter[str] = attrs.field(factory=Counter)
    gaps_s: list[float] = attrs.field(factory=list)
    arrived: Counter[str] = attrs.field(factory=Counter)
    done: Counter[str] = attrs.field(factory=Counter)
    ejected: Counter[str] = attrs.field(factory=Counter)
    unheard: int = 0

    def hear(self, fact: Fact) -> None:
        """Something happened."""
        match fact:
            case StreamContinued():
                self.ways[fact.way] += 1
                self.gaps_s.append(fact.gap_s)
                self.arrived[fact.endpoint] += 1
            case StreamEnded(outcome="done"):
                self.done[fact.endpoint] += 1
            case EndpointEjected():
                self.ejected[fact.endpoint] += 1
            case _:
                pass

    # ---- while it runs

    def draw(self, numbers: EngineStatistics) -> RenderableType:
        """The table, with a line below it."""
        table = Table(box=None, pad_edge=False)
        table.add_column("endpoint", no_wrap=True)
        for name in _COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        probes = {each.endpoint: each for each in numbers.health.endpoints}
        for each in numbers.endpoints:
            name, state = each.name, self.strikes.state_of(each.name)
            health = health_of(each, probes.get(name))
            table.add_row(
                name,
                Text(state, style="" if state == "runs" else "bold red"),
                Text(health, style="green" if health == "well" else "red"),
                f"{each.in_flight}",
                f"{self.done[name]}",
                f"{self.ejected[name]}",
                f"{self.arrived[name]}",
            )
        return Group(table, Text(self._progress()))

    def tell(self, numbers: EngineStatistics) -> str:
        """The same as one line of text."""
        fleet = ", ".join(
            f"{each.name} {self.strikes.state_of(each.name)}: {each.in_flight}"
            for each in numbers.endpoints
        )
        return f"{self._progress()}  [{fleet} in flight]"

    def _progress(self) -> str:
        whole = sum(reader.is_whole for reader in self.readers)
        went_on = sum(self.ways.values())
        return f"{whole} of {len(self.readers)} streams complete, {went_on} went on elsewhere"

    # ---- at its end

    def describe(self, stall_s: float) -> Sequence[str]:
        """What has happened, line by line.

        Args:
            stall_s: the clock that a stopped server runs into, in seconds; it is told.
        """
        verdict, strikes = compare(self.readers), self.strikes
        ways = ", ".join(f"{count} by {way}" for way, count in self.ways.items()) or "none"
        differences = f"{verdict.lost} lost, {verdict.doubled} doubled, of {verdict.characters:,}"
        stalled = f"{_spread(strikes.waits_s, 'stalled')} (stall_s {stall_s:g} s)"
        return [
            f"{verdict.whole} of {verdict.streams} streams complete",
            f"killed      {_struck(strikes.killed, 'SIGKILL')}",
            f"stalled     {_struck(strikes.stalled, 'SIGSTOP')}",
            f"went on     {ways}; from failure to text: {describe_spread(self.gaps_s)}",
            f"characters  {differences} (compared with the unbroken answers)",
            f"waited      readers of the killed server: {_spread(strikes.waits_s, 'killed')}",
            f"            readers of the stalled server: {stalled}",
        ]

    def failures(self, enough: int) -> Sequence[str]:
        """What the demo was to prove and did not; nothing if all went well.

        Args:
            enough: streams that had to run on the server that was killed.
        """
        verdict, strikes = compare(self.readers), self.strikes
        found = []
        if strikes.killed is None or len(strikes.killed.readers) < enough:
            found.append(f"no server had {enough} running streams in time, so none was killed")
        elif strikes.stalled is None:
            found.append("no other server had a running stream in time, so none was stopped")
        if verdict.whole < verdict.streams:
            errors = [reader.error for reader in self.readers if reader.error]
            first = f"the first: {errors[0]}" if errors else "they did not end in time"
            found.append(f"{verdict.streams - verdict.whole} streams are not complete; {first}")
        if verdict.lost or verdict.doubled:
            found.append(f"{verdict.lost} characters are lost and {verdict.doubled} doubled")
        if self.unheard:
            found.append(f"{self.unheard} facts were not heard, so the waits are not all of them")
        return found


def _struck(strike: Strike | None, how: str) -> str:
    if strike is None:
        return "no server"
    return f"{strike.endpoint} ({how}) with {len(strike.readers)} streams well inside their answers"


def _spread(waits_s: Mapping[str, Sequence[float]], kind: str) -> str:
    return describe_spread(waits_s.get(kind, ()))
