"""The table of ``triollama status``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from triollama_adapters.cli._fleet_view import EndpointView, FleetView, Loaded

__all__ = ["WIDE", "describe_stay", "make_fleet_table", "plain"]

WIDE: Final = 100
"""Columns of a screen from which on all numbers have room beside the names of the loaded models."""

_EVER_S: Final = 365 * 24 * 3600.0
"""A model that stays a year stays for ever: Ollama gives such ones a date in some 290 years."""

_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def make_fleet_table(view: FleetView, width: int) -> Table:
    """The fleet as a table, one row per endpoint; why one is not well stands in its last column.

    Args:
        view: what to show.
        width: of the screen, in columns. On one below `WIDE` the numbers of this program's own
            traffic are left out while there is none.
    """
    has_traffic = any(each.in_flight or each.first_token_s is not None for each in view.endpoints)
    numbers = _TRAFFIC if has_traffic or width >= WIDE else {}
    table = Table(box=None, pad_edge=False)
    table.add_column("endpoint", no_wrap=True)
    for name in ("version", "health", *numbers, "probe"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("loaded (stays)", overflow="fold")
    for each in view.endpoints:
        table.add_row(
            Text(plain(each.endpoint)),
            Text(plain(each.version) or "?"),
            Text(each.health, style="green" if each.health == "well" else "red"),
            *(Text(tell(each)) for tell in numbers.values()),
            Text(_ms(each.probe_s)),
            Text(plain(each.reason), "red") if each.reason else Text(_loaded(each.loaded)),
        )
    return table


def describe_stay(stays_s: float | None) -> str:
    """For how long a model stays loaded, as text; empty if that is not known."""
    if stays_s is None:
        return ""
    if stays_s >= _EVER_S:
        return "for ever"
    for unit_s, unit in _UNITS:
        if stays_s >= unit_s:
            return f"{stays_s / unit_s:.0f} {unit}"
    return f"{max(stays_s, 0.0):.0f} s"


def plain(text: str) -> str:
    """A text that another machine sent, without what could drive a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _loaded(loaded: Sequence[Loaded]) -> str:
    told = []
    for each in loaded:
        stay = describe_stay(each.stays_s)
        told.append(plain(each.model) + (f" ({stay})" if stay else ""))
    return ", ".join(told) or "-"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:,.0f} ms"


_TRAFFIC: Final[dict[str, Callable[[EndpointView], str]]] = {
    "slots": lambda each: ", ".join(str(n) for _, n in sorted(each.slots.items())) or "-",
    "in flight": lambda each: f"{each.in_flight:,}",
    "TTFT": lambda each: _ms(each.first_token_s),
}
"""Columns about this program's own traffic."""
