"""The table of ``triollama status``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from triollama_adapters.cli._fleet_view import EndpointView, FleetView, Loaded
from triollama_adapters.words import plain

__all__ = ["NARROW", "WIDE", "describe_stay", "make_fleet_table"]

WIDE: Final = 100
"""Columns of a screen from which on all numbers have room beside the names of the loaded models."""

NARROW: Final = 64
"""Columns below which names of models would otherwise be cut into pieces."""

_EVER_S: Final = 365 * 24 * 3600.0
"""A model that stays a year stays for ever: Ollama gives such ones a date in some 290 years."""

_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


def make_fleet_table(view: FleetView, width: int) -> Table:
    """The fleet as a table, one row per endpoint; why one is not well stands in its last column.

    Args:
        view: what to show.
        width: of the screen, in columns. On one below `WIDE` the numbers of this program's own
            traffic are left out while there is none, below `NARROW` the version and the probe; a
            line below the table names them.
    """
    has_traffic = any(each.in_flight or each.first_token_s is not None for each in view.endpoints)
    left_out = [
        *(_LOOKS if width < NARROW else ()),
        *(_TRAFFIC if width < WIDE and not has_traffic else ()),
    ]
    columns = {name: tell for name, tell in _NUMBERS.items() if name not in left_out}
    table = Table(box=None, pad_edge=False, caption_justify="left")
    if left_out:
        table.caption = f"left out: {', '.join(left_out)}; they need more columns, or --json"
    table.add_column("endpoint", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("loaded (stays)", overflow="fold")
    for each in view.endpoints:
        table.add_row(
            Text(plain(each.endpoint)),
            *(tell(each) for tell in columns.values()),
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


def _loaded(loaded: Sequence[Loaded]) -> str:
    told = []
    for each in loaded:
        stay = describe_stay(each.stays_s)
        told.append(plain(each.model) + (f" ({stay})" if stay else ""))
    return ", ".join(told) or "-"


def _slots(slots: Mapping[str, int]) -> str:
    """How many each model has; whose they are, where they differ, has room in --json only."""
    if len(slots) < 2:
        return "".join(map(str, slots.values())) or "-"
    low, high = min(slots.values()), max(slots.values())
    return f"{low} each" if low == high else f"{low}-{high} each"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e3:,.0f} ms"


_NUMBERS: Final[Mapping[str, Callable[[EndpointView], Text]]] = {
    "version": lambda each: Text(plain(each.version) or "?"),
    "health": lambda each: Text(each.health, style="green" if each.health == "well" else "red"),
    "slots": lambda each: Text(_slots(each.slots)),
    "in flight": lambda each: Text(f"{each.in_flight:,}"),
    "TTFT": lambda each: Text(_ms(each.first_token_s)),
    "probe": lambda each: Text(_ms(each.probe_s)),
}
"""All columns between the endpoint and what is loaded there."""

_TRAFFIC: Final = ("slots", "in flight", "TTFT")
"""Those about this program's own traffic."""

_LOOKS: Final = ("version", "probe")
"""Those that a look at a server gives beside its health."""
