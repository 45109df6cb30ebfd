"""The page of routes is whole and true: every route, calls, types and tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import triollama
from triollama_adapters.simulator.routes import ROUTES

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "api.md").read_text().splitlines()
    if line.startswith("| `")
]
NO_ROUTE = frozenset(
    {"add_endpoint", "update_endpoint", "drain_endpoint", "remove_endpoint", "endpoints"}
    | {"statistics", "subscribe"}
)
"""What of an engine asks no server for anything."""


def spans(cell: str) -> list[str]:
    """The code spans of a cell."""
    return re.findall(r"`([^`]+)`", cell)


@cache
def functions_in(path: str) -> frozenset[str]:
    """The names of the functions in a file."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(each.name for each in tree.body if isinstance(each, functions))


def test_every_route_is_there() -> None:
    """The routes are those that the simulator answers, which are all of Ollama's."""
    told = [spans(row[0])[0] for row in ROWS if " " in spans(row[0])[0]]
    known = {
        f"{method} {path}"
        for path, methods in ROUTES.items()
        if not path.startswith("/_sim")
        for method in methods
    }
    assert len(told) == len(set(told))
    # What stands for a part of a path may be named otherwise.
    assert {route.split(":")[0] for route in told} == {route.split(":")[0] for route in known}
    assert len(told) == len(known)


def test_every_call_is_there() -> None:
    """Each public method of an engine that asks a server is on the page."""
    told = {name.removeprefix("engine.") for row in ROWS for cell in row for name in spans(cell)}
    public = {name for name in dir(triollama.Engine) if not name.startswith("_")}
    assert public - NO_ROUTE <= told
    assert public >= NO_ROUTE


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} {row[1]}".replace("`", "") for row in ROWS])
def test_a_row_is_true(row: list[str]) -> None:
    """Its call, its type and its test exist."""
    left, right, kind, test = row
    [call] = [name for cell in (left, right) for name in spans(cell) if name.startswith("engine.")]
    assert callable(getattr(triollama.Engine, call.removeprefix("engine.")))
    for name in spans(kind):
        assert name in triollama.__all__
        assert getattr(triollama, name)
    [named] = spans(test)
    path, _, function = named.partition("::")
    assert function in functions_in(path)
