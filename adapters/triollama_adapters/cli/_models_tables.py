"""The tables of ``triollama list``, ``ps`` and ``show``, and the same as JSON. No IO."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
from rich.table import Table
from rich.text import Text

from triollama import PsResponse, ShowResponse, TagsResponse
from triollama_adapters.cli._models_words import describe_age, describe_bytes
from triollama_adapters.words import plain

__all__ = ["as_json", "as_objects", "list_table", "ps_table", "show_table"]


def as_json(value: attrs.AttrsInstance) -> str:
    """One object as a line of JSON."""
    return msgspec.json.encode(attrs.asdict(value)).decode() + "\n"


def as_objects(told: dict[str, Any]) -> str:
    """One object per server as a line of JSON."""
    return (
        msgspec.json.encode({name: attrs.asdict(each) for name, each in told.items()}).decode()
        + "\n"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def list_table(told: dict[str, TagsResponse]) -> Table:
    """One row per model, with the servers that have it, all or some."""
    rows: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for endpoint, listed in told.items():
        for each in listed.models:
            cells = [each.name, each.digest[:12], describe_bytes(each.size)]
            cells.append(describe_age(each.modified_time))
            rows.setdefault((each.name, each.digest), (cells, []))[1].append(endpoint)
    table = _table("name", "id", "size", "modified", *(["endpoints"] if len(told) > 1 else []))
    for cells, endpoints in rows.values():
        where = "all" if len(endpoints) == len(told) else ", ".join(endpoints)
        row = [*cells, where] if len(told) > 1 else cells
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def ps_table(told: dict[str, PsResponse]) -> Table:
    """One row per model and server."""
    table = _table("endpoint", "name", "id", "size", "on GPU", "context")
    for endpoint, running in told.items():
        for each in running.models:
            share = f"{each.size_vram / each.size:.0%}" if each.size else ""
            context = f"{each.context_length:,}" if each.context_length else ""
            row = (endpoint, each.name, each.digest[:12], describe_bytes(each.size), share, context)
            table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def show_table(told: ShowResponse) -> Table:
    """What people look for first, one row each."""
    details = told.details
    options = [" ".join(line.split()) for line in (told.parameters or "").splitlines()]
    rows = {
        "architecture": str(told.model_info.get("general.architecture") or details.family),
        "parameters": details.parameter_size,
        "quantization": details.quantization_level,
        "context": f"{told.context_length:,}" if told.context_length else "",
        "capabilities": ", ".join(sorted(told.capabilities)),
        "options": "; ".join(sorted(options)),
        "system": " ".join((told.system or "").split()),
        "license": next(iter((told.license or "").strip().splitlines()), ""),
        "modified": describe_age(told.modified_time),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in rows.items():
        if value:
            table.add_row(Text(name, "dim"), Text(plain(value)))
    return table
