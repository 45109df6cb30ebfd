"""What the core is installed with."""

from benchmarks.trials.packages import closure, modules_beyond, peers, size_bytes


def test_the_core_needs_no_peer() -> None:
    """What it is measured against, and what the command line needs, is none of its own."""
    core = closure(["triollama"])
    assert {"triollama", "trio", "httpx", "h11"} <= core
    assert "ollama" in peers()
    assert not core & (peers() | {"rich", "cyclopts", "pytest"})


def test_foreign_modules_are_known_by_their_packages() -> None:
    """Modules of other packages are told, the core's own and the standard library's are not."""
    beyond = modules_beyond(closure(["triollama"]))
    assert {"ollama", "pytest"} <= beyond
    assert not beyond & {"triollama", "triollama_adapters", "trio", "json"}


def test_sizes_are_those_of_files() -> None:
    """The core is counted where its source is, a package that is not there has no size."""
    assert 200_000 < size_bytes("triollama") < 5_000_000
    assert size_bytes("trio") > 500_000
    assert size_bytes("no-such-package") == 0
