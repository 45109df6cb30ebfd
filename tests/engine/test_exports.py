"""Every public name has one home and a docstring, and nothing private leaks."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import triollama
import triollama.actors.health
import triollama.actors.limits
import triollama.actors.pool
import triollama.actors.streams
import triollama.api
import triollama.transfers

PACKAGE = Path(triollama.__file__).parent
TREES = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("name", triollama.__all__)
def test_a_public_name_has_a_docstring(name: str) -> None:
    """Each says what it is, and so does each of its public methods and properties."""
    thing = getattr(triollama, name)
    assert inspect.getdoc(thing), name
    if not inspect.isclass(thing):
        return
    for each, member in vars(thing).items():
        is_code = inspect.isfunction(member) or isinstance(member, property)
        if is_code and not each.startswith("_"):
            assert inspect.getdoc(member), f"{name}.{each}"


@pytest.mark.parametrize("name", triollama.__all__)
def test_a_public_name_is_defined_once(name: str) -> None:
    """One module of the package defines it; all others import it from there."""
    homes = []
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                homes += [path] * (node.name == name)
    assert len(set(homes)) == 1, homes  # overloads are several definitions in one place


def test_the_list_is_sorted_and_whole() -> None:
    """What the package imports for its users is what it lists."""
    assert list(triollama.__all__) == sorted(set(triollama.__all__))
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("triollama")
        for alias in node.names
    }
    assert imported - set(triollama.__all__) == set()


def test_what_is_imported_later_is_there() -> None:
    """Each such name is listed, is where it is said to be, and is known to type checkers."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == triollama._LATER
    assert set(told) <= set(triollama.__all__)
    assert set(told) <= set(dir(triollama))


def test_nothing_private_leaks() -> None:
    """Public things are the package's own, without underscore, and no modules."""
    for name in triollama.__all__:
        thing = getattr(triollama, name)
        assert not name.startswith("_")
        assert not inspect.ismodule(thing)
        assert thing.__module__.startswith("triollama."), name


@pytest.mark.parametrize(
    "package",
    [
        triollama.api,
        triollama.actors.health,
        triollama.actors.limits,
        triollama.actors.pool,
        triollama.actors.streams,
        triollama.transfers,
    ],
    ids=str,
)
def test_inner_packages_list_what_they_have(package: Any) -> None:
    """Their lists are true and sorted as well."""
    assert list(package.__all__) == sorted(set(package.__all__))
    for name in package.__all__:
        assert hasattr(package, name)


def test_every_error_is_public() -> None:
    """What can be raised can be caught."""
    assert set(triollama._errors.__all__) <= set(triollama.__all__)


def test_what_a_public_method_gives_is_public() -> None:
    """The types that `Engine` and `Stream` hand out have public names."""
    given = {"ChatChunk", "ChatResponse", "GenerateChunk", "GenerateResponse", "EmbedResponse"}
    given |= {"TagsResponse", "PsResponse", "ShowResponse", "VersionResponse", "EngineStatistics"}
    given |= {"PoolStatistics", "ProberStatistics", "LimiterStatistics", "FactStatistics"}
    given |= {"StreamStatistics", "Subscription", "SubscriptionStatistics", "Fact"}
    given |= {"EndpointProbes", "LimitStatistics"}
    given |= {"EndpointStatistics", "Timing", "Usage", "Attempt", "Outcome", "Stream"}
    assert given <= set(triollama.__all__)
