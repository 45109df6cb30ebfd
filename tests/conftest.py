"""What all tests share: what is run when, and the seed of the simulation."""

import pytest
from hypothesis import settings

# `make nightly` chooses the second with --hypothesis-profile, which wins over what is loaded here.
settings.register_profile("change", max_examples=100, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile("change")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --seed. Here, because pytest reads options of the conftests nearest the root only."""
    parser.addoption(
        "--seed",
        type=int,
        action="append",
        help="replay this seed of tests/simulation in place of the usual ones; may be repeated",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked ``nightly``, unless -m says otherwise."""
    if "nightly" in config.getoption("markexpr"):
        return
    large = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=large)
    items[:] = [item for item in items if not item.get_closest_marker("nightly")]
