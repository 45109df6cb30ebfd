"""The limit on open files."""

import resource
from collections.abc import Iterator

import pytest

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._limits import allow_files


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The limits, put back at the end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_and_never_lowered(limits: tuple[int, int]) -> None:
    """As far as needed; a larger one stays."""
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    allow_files(100)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, hard)
    allow_files(300)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)


def test_what_the_system_does_not_allow_is_told(
    limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any work, instead of thousands of failed connections."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1_024))
    with pytest.raises(CliError, match=r"2,000 files.*allows 1,024; lower --concurrency"):
        allow_files(2_000)
