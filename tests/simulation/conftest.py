"""Which seeds are run, by whom, and the summary at the end of the run."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor

import pytest
from hypothesis import settings
from tests.simulation.report import Tally

SEEDS, SEEDS_NIGHTLY = 200, 10_000
STREAMS, STREAMS_NIGHTLY = 500, 10_000
BATCH, BATCH_NIGHTLY = 25, 500
"""Seeds of one test: many, so that the output stays short; few enough to show that it goes on."""

_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to sum up."""
    config.stash[_TALLY] = Tally()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``batch`` its seeds: those of --seed, or so many from 0."""
    if "batch" not in metafunc.fixturenames:
        return
    if given := metafunc.config.getoption("seed", None):
        batches = [[seed] for seed in given]
    else:
        count, size = (SEEDS_NIGHTLY, BATCH_NIGHTLY) if is_nightly() else (SEEDS, BATCH)
        batches = [list(range(first, first + size)) for first in range(0, count, size)]
    names = [f"{batch[0]}-{batch[-1]}" if len(batch) > 1 else f"{batch[0]}" for batch in batches]
    metafunc.parametrize("batch", batches, ids=names)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell what was simulated."""
    tally = config.stash.get(_TALLY, Tally())
    if tally.seeds:
        terminalreporter.section("simulation")
        for line in tally.lines():
            terminalreporter.write_line(line)


def is_nightly() -> bool:
    """Whether the large counts are wanted."""
    return bool(settings.get_current_profile_name() == "nightly")


@pytest.fixture
def broken_streams() -> int:
    """How many streams are broken to see whether a reader notices."""
    return STREAMS_NIGHTLY if is_nightly() else STREAMS


@pytest.fixture
def tally(pytestconfig: pytest.Config) -> Tally:
    """The sum of all that is simulated in this run of pytest."""
    return pytestconfig.stash[_TALLY]


@pytest.fixture(scope="session")
def workers() -> Iterator[Executor | None]:
    """Processes for the large counts, one per core; None where one process is enough.

    They are spawned, not forked: a fork would copy what the tests before have left in memory.
    """
    if not is_nightly():
        yield None
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        yield pool
