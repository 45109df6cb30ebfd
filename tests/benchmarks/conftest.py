"""Results files as small as they can be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WriteResults = Callable[..., Path]


def a_row(name: str, values: list[float], **fields: Any) -> dict[str, Any]:
    """A row as `report.write` writes it: a ratio that has to be at most 2, and is."""
    middle = sorted(values)[len(values) // 2]
    row = {
        "name": name,
        "what": f"the load of {name}",
        "measured": "engine.chunks",
        "against": "floor.chunks",
        "unit": "x the floor",
        "bar": {"limit": 2.0, "is_at_least": False},
        "value": {"median": middle, "low": min(values), "high": max(values)},
        "values": values,
        "verdict": "PASS",
        "absolute": {
            "engine.chunks": {"unit": "µs", "median": 15.0, "low": 14.0, "high": 17.0},
            "floor.chunks": {"unit": "µs", "median": 10.0, "low": 9.0, "high": 11.0},
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
