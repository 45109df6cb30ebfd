"""A process that is killed while it commits: what it acknowledged is kept, none of it twice."""

import os
import random
import sys
from pathlib import Path

import pytest
import trio

KILLS = 30
KILLS_NIGHTLY = 1_000
ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes to be killed are forked")
@pytest.mark.parametrize("kills", [KILLS, pytest.param(KILLS_NIGHTLY, marks=pytest.mark.nightly)])
async def test_a_kill_loses_nothing_and_doubles_nothing(tmp_path: Path, kills: int) -> None:
    """After every SIGKILL each acknowledged row is known; in the end each row is there once."""
    seed = random.randrange(1 << 32)
    command = [
        sys.executable,
        "-m",
        "tests.adapters.batch.ledger.killing",
        str(tmp_path),
        str(seed),
    ]
    done = await trio.run_process(
        [*command, str(kills)], cwd=ROOT, check=False, capture_stderr=True, capture_stdout=True
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stderr.decode()}"
