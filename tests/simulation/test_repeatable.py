"""A seed is all that is needed to see a failure again: in this process and in another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation.run import run_seed
from tests.simulation.scenario import draw

SEEDS = (1, 2, 3)
ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from tests.simulation.run import run_seed
print(run_seed(int(sys.argv[1])).digest)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_same_seed_gives_the_same_trace(seed: int) -> None:
    """Two runs of one seed are equal, event by event, whatever ran in between."""
    first = run_seed(seed)
    run_seed(seed + 1_000)
    again = run_seed(seed)
    assert again.trace == first.trace
    assert (again.digest, again.outcomes, again.faults) == (
        first.digest,
        first.outcomes,
        first.faults,
    )


def test_other_seeds_give_other_traces() -> None:
    """The trace says something: different runs have different ones."""
    assert len({run_seed(seed).digest for seed in SEEDS}) == len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_same_seed_gives_the_same_trace_in_another_process(seed: int) -> None:
    """Neither the order of sets of text nor the place of objects in memory decides anything."""
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == run_seed(seed).digest


def test_same_seed_gives_the_same_scenario() -> None:
    """What is drawn is a function of the seed."""
    assert draw(5) == draw(5) != draw(6)
