"""The trials of batch jobs, with a few rows each: what they look at is what they say."""

from pathlib import Path

import pytest
import trio

from benchmarks.trials import batch_commit, batch_memory, batch_resume, batch_slots
from triollama_adapters.batch.ledger.ledger import open_ledger


@pytest.mark.slow
def test_every_row_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit trial finds no fault, and its parts are less than the whole."""
    monkeypatch.setattr(batch_commit, "ROWS", 200)
    monkeypatch.setattr(batch_commit, "WARM_UP", 50)
    finding = batch_commit.run(1)
    assert not finding.faults
    assert 0 < finding.figure("record") < finding.figure("cpu")


@pytest.mark.slow
def test_a_batch_that_is_made_can_be_resumed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its rows are all passed over, and the first new one is asked; its files need no repair."""
    monkeypatch.setattr(batch_resume, "ROWS", 2_000)
    finding = batch_resume.run(1)
    assert not finding.faults
    assert finding.figure("skipped") == 2_000
    assert finding.figure("opened") <= finding.figure("first")
    paths, recipe = batch_resume.Paths(tmp_path / "out.jsonl"), batch_resume.recipe_of(tmp_path)
    batch_resume._make(paths, recipe)
    trio.run(_resumed, paths.output)


async def _resumed(output: Path) -> None:
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert ledger.recovery is None
        assert ledger.state.done == 2_000


@pytest.mark.slow
def test_memory_is_that_of_whole_jobs() -> None:
    """Every row of both jobs is kept, and found when the larger one is resumed."""
    finding = trio.run(batch_memory._run, 50, 300)
    assert not finding.faults
    assert finding.figure("rows") == 300


@pytest.mark.slow
def test_slots_are_those_of_whole_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the trace is not there; its quantiles have its mean."""
    monkeypatch.setattr(batch_slots, "TRACE", Path("nowhere"))
    finding = batch_slots._run(60, 1)
    assert not finding.faults
    assert finding.figure("traced") == 0.0
    assert finding.figure("makespan") >= 1.0
    quantiles = batch_slots.QUANTILES
    assert sum(quantiles) / len(quantiles) == pytest.approx(343, rel=0.02)
