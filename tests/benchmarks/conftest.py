"""Results files as small as they can be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WriteResults = Callable[..., Path]


def a_figure(client: str, median: float, streams: int | None = None) -> dict[str, Any]:
    """A client's own figure, from one below it to two above."""
    whose = {"name": client, "task": "chunks", "streams": streams}
    took = {"peak_mib": 44.0, "switches_each": 0.25}
    spread = {"median": median, "low": median - 1, "high": median + 2}
    return {"unit": "µs", "is_more_better": False, "client": whose | took} | spread


def a_row(name: str, values: list[float], **fields: Any) -> dict[str, Any]:
    """A row as `report.write` writes it: a ratio that has to be at most 2, and is."""
    middle = sorted(values)[len(values) // 2]
    row = {
        "name": name,
        "what": f"the load of {name}",
        "measured": "engine.chunks",
        "against": "floor.chunks",
        "unit": "x the floor",
        "kind": "figure",
        "load": name,
        "bar": {"limit": 2.0, "is_at_least": False},
        "value": {"median": middle, "low": min(values), "high": max(values)},
        "values": values,
        "verdict": "PASS",
        "is_more_better": False,
        "absolute": {
            "engine.chunks": a_figure("engine", 15.0),
            "floor.chunks": a_figure("floor", 10.0),
        },
        "notes": [],
    }
    return row | fields


@pytest.fixture
def write_results(tmp_path: Path) -> WriteResults:
    """Write a results file with these rows; returns where."""

    def write(name: str, *rows: dict[str, Any], **machine: Any) -> Path:
        facts = {"cores": 4, "processor": "P", "kernel": "Linux 6", "python": "CPython 3.11"}
        made = {"made": "2026-11-21T10:00:00+00:00", "machine": facts | machine, "runs": []}
        path = tmp_path / name
        path.write_text(json.dumps(made | {"rows": rows}))
        return path

    return write
