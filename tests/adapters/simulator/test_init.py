"""The package's public names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from triollama_adapters import simulator


@pytest.mark.parametrize("name", simulator.__all__)
def test_each_public_name_is_there(name: str) -> None:
    """Each is imported on first use, is listed, and has a docstring or is data."""
    value = getattr(simulator, name)
    assert name in dir(simulator)
    assert isinstance(value, tuple) or value.__doc__


def test_other_names_are_an_error() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="simulater"):
        _ = simulator.simulater


SHELL = {
    "__main__",
    "connection",
    "driver",
    "memory_wire",
    "process",
    "pytest_plugin",
    "server",
    "transport",
    "truth",
}
OUTSIDE = {"trio", "httpx", "socket", "time", "random", "threading", "logging"}


def test_the_core_imports_nothing_of_the_outside() -> None:
    """No task, clock, socket or global randomness in any module but those that drive the core."""
    assert simulator.__file__
    for path in Path(simulator.__file__).parent.glob("*.py"):
        if path.stem in SHELL:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not OUTSIDE & {alias.name for alias in node.names}, path
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module not in OUTSIDE, path
            assert not isinstance(node, ast.AsyncFunctionDef | ast.Await), path
