"""What names mean in the engine's source, and how a stub calls the same things."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Collection, Iterator
from copy import deepcopy
from importlib import import_module
from typing import Any, Final, Protocol

from triollama_adapters.portal.mirror import HOMES

__all__ = ["Names", "Source", "import_lines"]

ENGINE_PROTOCOLS: Final = frozenset(("Chats",))
"""What conversations know an engine as; in a stub it is the mirror of the engine."""

_OWN_HOMES: Final = {"AbstractAsyncContextManager": "contextlib"}
"""Of names that the stubs use and the engine's modules may not."""


class Renames(Protocol):
    """What a side calls otherwise."""

    @property
    def renames(self) -> dict[str, str]:
        """Names of the standard library."""


class Source:
    """One module of the engine's.

    Attributes:
        classes: those that it defines.
        homes: each of its names, with the module and name that it comes from.
    """

    def __init__(self, module: str) -> None:
        tree = ast.parse(inspect.getsource(import_module(module)))
        self.classes: dict[str, ast.ClassDef] = {}
        self.homes: dict[str, tuple[str, str]] = {}
        for statement in ast.walk(tree):
            if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
                for alias in statement.names:
                    self.homes[alias.asname or alias.name] = (statement.module, alias.name)
        for statement in tree.body:
            for name in _defined(statement):
                self.homes[name] = (module, name)
            if isinstance(statement, ast.If):  # for type checkers only
                for inner in statement.body:
                    self.homes.update({name: (module, name) for name in _defined(inner)})
            if isinstance(statement, ast.ClassDef):
                self.classes[statement.name] = statement


class Names:
    """The names of one stub.

    Args:
        side: whose stub.

    Attributes:
        used: each name, with the module and name that it is imported from.
    """

    def __init__(self, side: Renames) -> None:
        self._renames = side.renames
        self._sources: dict[str, Source] = {}
        self.used: dict[str, tuple[str, str]] = {}

    def source(self, module: str) -> Source:
        """A module's source."""
        if module not in self._sources:
            self._sources[module] = Source(module)
        return self._sources[module]

    def resolve(self, node: Any, module: str) -> Any:
        """A copy in which each name of that module is the stub's name for the same thing."""
        return _Resolver(self, self.source(module)).visit(deepcopy(node))

    def name_of(self, name: str, source: Source) -> str:
        """The stub's name for what a module calls so."""
        if name in ENGINE_PROTOCOLS:
            return "Engine"
        if name in HOMES or (name not in source.homes and hasattr(builtins, name)):
            return name
        home = source.homes.get(name)
        if home is None:  # of a side's own text
            home = (_OWN_HOMES.get(name, "collections.abc"), name)
        if home[1] in self._renames:
            home = (home[0], self._renames[home[1]])
        own = home[1]
        while not _is_same(self.used.setdefault(own, home), home):
            own = f"{home[0].rpartition('.')[2].strip('_').title()}{own}"
        return own


class _Resolver(ast.NodeTransformer):
    def __init__(self, names: Names, source: Source) -> None:
        self._names = names
        self._source = source

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.name_of(node.id, self._source))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.annotation = self.visit(node.annotation)
        return node


def import_lines(names: Names, others: Collection[str]) -> Iterator[ast.stmt]:
    """The imports of all that is used, but of what is imported by others under its own name."""
    yield ast.Import([ast.alias("httpx")])
    yield ast.Import([ast.alias("triollama")])
    for name, (module, original) in sorted(names.used.items(), key=lambda each: (each[1], each[0])):
        if name in others:
            continue
        alias = ast.alias(original, None if name == original else name)
        yield ast.ImportFrom(module, [alias], 0)


def _is_same(home: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two modules have the same thing under these names."""
    if home == other:
        return True
    things = [getattr(import_module(module), name, None) for module, name in (home, other)]
    return things[0] is not None and things[0] is things[1]


def _defined(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement defines."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            yield name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case _:
            return
