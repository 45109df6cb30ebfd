"""What `triollama.api` offers, and what it may import."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import msgspec
import pytest

from triollama import api


def test_every_public_name_is_offered_once() -> None:
    """`__all__` is sorted, complete, and each name is documented."""
    assert list(api.__all__) == sorted(set(api.__all__))
    for name in api.__all__:
        value = getattr(api, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, name
            assert value.__module__.startswith("triollama.api."), name


@pytest.mark.parametrize(
    "module", sorted(Path(api.__file__).parent.glob("*.py")), ids=lambda p: p.stem
)
def test_imports_point_downward(module: Path) -> None:
    """The typed API knows the errors, and nothing else of the engine."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("triollama"):
            assert node.module == "triollama._errors"
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("triollama") for alias in node.names)


def test_chunks_are_frozen() -> None:
    """A reader cannot change what another reads."""
    for chunk in (api.ChatChunk(), api.GenerateChunk()):
        assert isinstance(chunk, msgspec.Struct)
        with pytest.raises(AttributeError):
            chunk.done = True
