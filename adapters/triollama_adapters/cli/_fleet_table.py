"""A fleet as a table, once or drawn over itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from triollama import EndpointProbes, EndpointStatistics, EngineStatistics

__all__ = ["FleetTable", "make_table", "open_fleet_table"]

LINE_EVERY_S: Final = 1.0
"""Without a terminal a line a second: enough to see what happened when."""

_COLUMNS = ("version", "health", "loaded", "slots", "in flight", "TTFT", "probe")


class FleetTable(Protocol):
    """Shows a fleet again and again."""

    def show(self, numbers: EngineStatistics, said: str) -> None:
        """Show it as it is now, with a line of text."""


def make_table(numbers: EngineStatistics) -> Table:
    """The fleet as it is."""
    table = Table(box=None, pad_edge=False)
    table.add_column("endpoint", no_wrap=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name != "loaded" else "left", no_wrap=True)
    probes = {each.endpoint: each for each in numbers.health.endpoints}
    for endpoint in numbers.endpoints:
        table.add_row(endpoint.name, *_row(endpoint, probes.get(endpoint.name)))
    return table


def health_of(endpoint: EndpointStatistics, probes: EndpointProbes | None) -> str:
    """Its health in a word or two."""
    if endpoint.is_draining:
        return "draining"
    if endpoint.state == "open":
        return f"out for {endpoint.out_s:.0f} s"
    if endpoint.state != "closed":
        return "on trial"
    if probes is not None and probes.failures_in_row:
        return "not reached"
    return "well" if not endpoint.failures_in_row else f"{endpoint.failures_in_row} failures"


def _row(endpoint: EndpointStatistics, probes: EndpointProbes | None) -> list[Text]:
    health = health_of(endpoint, probes)
    slots = ", ".join(f"{slots}" for _, slots in sorted(endpoint.slots.items()))
    took_s = probes.took_s if probes is not None else None
    first_s = endpoint.first_token_s
    return [
        Text(endpoint.version or "?"),
        Text(health, style="green" if health == "well" else "red"),
        Text(", ".join(endpoint.loaded) or "-"),
        Text(slots or "-"),
        Text(f"{endpoint.in_flight}"),
        Text("-" if first_s is None else f"{first_s * 1e3:,.0f} ms"),
        Text("-" if took_s is None else f"{took_s * 1e3:,.0f} ms"),
    ]


@contextmanager
def open_fleet_table(stderr: IO[str]) -> Iterator[FleetTable]:
    """A table that suits where stderr goes; it is left as it was shown last."""
    console = Console(file=stderr)
    if not console.is_terminal:
        yield _Lines(stderr)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield _Drawn(live)


class _Drawn:
    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, numbers: EngineStatistics, said: str) -> None:
        self._live.update(Group(make_table(numbers), Text(said)), refresh=True)


class _Lines:
    def __init__(self, stderr: IO[str]) -> None:
        self._stderr = stderr
        self._began_s = time.monotonic()
        self._shown_s = -LINE_EVERY_S

    def show(self, numbers: EngineStatistics, said: str) -> None:
        now_s = time.monotonic() - self._began_s
        if now_s - self._shown_s < LINE_EVERY_S:
            return
        self._shown_s = now_s
        fleet = ", ".join(
            f"{each.name} {health_of(each, None)}: {each.in_flight}" for each in numbers.endpoints
        )
        self._stderr.write(f"{now_s:4.1f} s  {said}  [{fleet}]\n")
        self._stderr.flush()
