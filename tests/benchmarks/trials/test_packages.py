"""What the core is installed with."""

import os

from benchmarks.trials.importing import _modules
from benchmarks.trials.packages import closure, modules_beyond, packages_of, peers, size_bytes


def test_the_core_needs_no_peer() -> None:
    """What it is measured against, and what the command line needs, is none of its own."""
    core = closure(["triollama"])
    assert {"triollama", "trio", "httpx", "h11"} <= core
    assert {"ollama", "aiohttp"} <= peers()
    assert not peers() & {"rich", "cyclopts", "httpx"}
    assert not core & (peers() | {"rich", "cyclopts", "pytest"})


def test_foreign_modules_are_known_by_their_packages() -> None:
    """Modules of other packages are told, the core's own and the standard library's are not."""
    beyond = modules_beyond(closure(["triollama"]))
    assert {"ollama", "pytest"} <= beyond
    assert not beyond & {"triollama", "triollama_adapters", "trio", "json"}


def test_packages_are_known_by_their_modules() -> None:
    """What is imported names the packages that it came with."""
    assert packages_of(["json", "httpx", "_pytest"]) == {"httpx", "pytest"}


def test_what_is_imported_is_told() -> None:
    """An interpreter that imports the core says so, without the modules inside of others."""
    modules = _modules(dict(os.environ))
    assert {"triollama", "trio", "sys"} <= modules
    assert not any("." in name for name in modules)


def test_sizes_are_those_of_files() -> None:
    """The core is counted where its source is, a package that is not there has no size."""
    assert 200_000 < size_bytes("triollama") < 5_000_000
    assert size_bytes("trio") > 500_000
    assert size_bytes("no-such-package") == 0
