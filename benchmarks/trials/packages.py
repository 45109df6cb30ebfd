"""What is installed: what a package depends on, its modules, its size."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

CORE = "triollama"

OWN_MODULES = ("triollama", "triollama_adapters")
"""Of the core's own wheel: command line and simulator come with it, if not what they need."""


def closure(names: Iterable[str]) -> set[str]:
    """Return these packages and all that they require on this system, as far as installed."""
    found: set[tuple[str, str]] = set()
    waiting = [(_canonical(name), "") for name in names]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += _required_by(*each)
    return {name for name, _ in found}


def peers() -> set[str]:
    """Return the packages that the benchmarks measure the core against: its extra ``bench``."""
    own, bench = (
        {_canonical(each.name) for extra in extras for each in _requirements(CORE, extra)}
        for extras in (("", "cli"), ("bench",))
    )
    return bench - own - {CORE}


def modules_beyond(packages: set[str]) -> set[str]:
    """Return the names of all modules that other packages brought, and these did not."""
    owners = importlib.metadata.packages_distributions()
    return {
        module
        for module, its in owners.items()
        if module not in OWN_MODULES and not packages & {_canonical(each) for each in its}
    }


def packages_of(modules: Iterable[str]) -> set[str]:
    """Return the packages that brought these modules; nobody did those of the standard library."""
    owners = importlib.metadata.packages_distributions()
    return {_canonical(each) for module in modules for each in owners.get(module, ())}


def size_bytes(package: str) -> int:
    """Return the size of an installed package, without the bytecode that its first use makes."""
    if package == CORE:  # which may be installed as a link to its source
        return sum(map(_folder_bytes, OWN_MODULES))
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    return _bytes_of(Path(str(each.locate())) for each in files)


def _required_by(package: str, extra: str) -> Iterator[tuple[str, str]]:
    """The packages that one requires, each once for itself and once for each extra of it."""
    for each in _requirements(package, extra):
        yield from ((_canonical(each.name), its) for its in ("", *each.extras))


def _canonical(name: str) -> str:
    """Of several spellings of a package's name the one of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements(package: str, extra: str) -> Iterator[Requirement]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - in the extra ``bench``

    try:
        lines = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for each in map(Requirement, lines):
        if each.marker is None or each.marker.evaluate({"extra": extra}):
            yield each


def _folder_bytes(module: str) -> int:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return 0
    return _bytes_of(Path(spec.origin).parent.rglob("*"))


def _bytes_of(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
