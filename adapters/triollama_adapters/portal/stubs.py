"""Writes down, for type checkers and editors, what the mirrors of the engine's classes offer.

    python -m triollama_adapters.portal.stubs

makes ``blocking/__init__.pyi`` and ``aio/__init__.pyi`` of the engine's own source: signatures with
overloads, properties and documentation. A test says when they are out of date. It needs ``ruff``.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import triollama
from triollama_adapters.portal.mirror import HIDDEN, HOMES, MADE_BY_USERS
from triollama_adapters.portal.stub_names import Names, import_lines
from triollama_adapters.portal.stub_sides import AIO, BLOCKING, Side

__all__ = ["formatted", "main", "path_of", "stub_of"]

HEAD: Final = (
    "# Written by `python -m triollama_adapters.portal.stubs`.\n"
    '# mypy: disable-error-code="override"\n'  # a fetcher that waits is meant to differ
)


def stub_of(side: Side) -> str:
    """The stub of one side, as valid as source, but not formatted."""
    names = Names(side)
    classes = [_class_of(name, side, names) for name in sorted(HOMES)]
    tail = ast.parse(side.tail).body
    public = sorted({*triollama.__all__} - {*HOMES} - side.own)
    head = [
        *import_lines(names, public),
        ast.parse(f"from triollama import {_reexported(public)}").body[0],
    ]
    module = ast.Module([*head, *classes, *tail], [])
    return HEAD + ast.unparse(ast.fix_missing_locations(module)) + "\n"


def _reexported(names: list[str]) -> str:
    return ", ".join(f"{name} as {name}" for name in names)


def _class_of(name: str, side: Side, names: Names) -> ast.ClassDef:
    """The stub of one class, with what its bases bring."""
    native = getattr(import_module(HOMES[name]), name)
    body: dict[str, list[ast.stmt]] = {}
    bases: list[ast.expr] = []
    for each in native.__mro__:
        if not each.__module__.startswith("triollama."):
            continue
        source = names.source(each.__module__)
        found = source.classes[each.__name__]
        bases += [_resolved(base, names, each) for base in found.bases if _is_generic(base)]
        for member, statements in _members(found, side, name):
            if member not in body:
                body[member] = [_resolved(statement, names, each) for statement in statements]
    for extra in ast.parse(side.extras.get(name, "")).body:
        assert isinstance(extra, ast.FunctionDef)
        body.setdefault(extra.name, [_resolved(extra, names, native)])
    doc: list[ast.stmt] = [ast.Expr(ast.Constant(side.told(native.__doc__ or "")))]
    members = [statement for statements in body.values() for statement in statements]
    return ast.ClassDef(name, bases, [], doc + members, [])


def _is_generic(base: ast.expr) -> bool:
    return isinstance(base, ast.Subscript) and ast.unparse(base.value) == "Generic"


def _resolved(node: Any, names: Names, native: type) -> Any:
    """The same with names that mean here what they mean in the module of a class."""
    return names.resolve(node, native.__module__)


def _members(found: ast.ClassDef, side: Side, name: str) -> Iterator[tuple[str, list[ast.stmt]]]:
    """The public members of a class by name, each with all its overloads."""
    functions: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    for statement in found.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.setdefault(statement.name, []).append(statement)
    yield from _attributes(functions.get("__init__", []))
    for member, defined in functions.items():
        is_kept = member in side.dunders or not member.startswith("_")
        is_kept = is_kept and f"{name}.{member}" not in HIDDEN
        if is_kept or (member == "__init__" and name in MADE_BY_USERS):
            doc = ast.get_docstring(defined[-1])
            kept = defined[:-1] or defined  # the last of several is the implementation
            stubs = [side.stub(each, doc if each is kept[0] else None) for each in kept]
            yield stubs[0].name, [*stubs]
    if "__anext__" in functions and "__aiter__" not in functions:
        yield side.iterating(functions["__anext__"][0])


def _attributes(inits: list[Any]) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Public attributes that are set when an object is made."""
    for init in inits[-1:]:
        types = {each.arg: each.annotation for each in init.args.args}
        for statement in init.body:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if not isinstance(target, ast.Attribute) or target.attr.startswith("_"):
                continue
            value = statement.value
            kind: Any = ast.Name("int")
            if isinstance(value, ast.Name):
                kind = types[value.id]
            stated = ast.AnnAssign(ast.Name(target.attr), kind, None, 1)
            yield target.attr, [stated]


def path_of(side: Side) -> Path:
    """Where a side's stub is."""
    return Path(__file__).parents[1] / side.name / "__init__.pyi"


def formatted(side: Side) -> str:
    """The stub of one side as it is written."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(path_of(side)), "-"]
    source = stub_of(side)
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def main() -> int:
    """Write both."""
    for side in (BLOCKING, AIO):
        path_of(side).write_text(formatted(side))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
