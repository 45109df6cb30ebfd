"""Looking at a batch: what is stored for it, who runs it, and that nothing is left behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.adapters.batch.ledger.ledgers import SETTINGS, entry_of

from triollama_adapters.batch.errors import OutputBusyError
from triollama_adapters.batch.ledger.ledger import FIGURES_BYTES_MAX, open_ledger, read_state
from triollama_adapters.batch.ledger.lock import Lock, holder_of
from triollama_adapters.batch.ledger.looking import look_into
from triollama_adapters.batch.ledger.paths import Paths, beside


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where the answers go."""
    return tmp_path / "out.jsonl"


def names(output: Path) -> set[str]:
    """The files of a folder."""
    return {path.name for path in output.parent.iterdir()}


async def begun(output: Path) -> None:
    """A batch with ten outcomes and figures."""
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry_of(number) for number in range(10)])
        await ledger.note_figures(b"{}")


async def test_figures_are_stored_for_onlookers_and_later_runs(output: Path) -> None:
    """The last ones, and with the process that runs it as long as one does."""
    await begun(output)
    async with open_ledger(output, None, is_resumed=True) as ledger:
        assert ledger.figures == b"{}"
        await ledger.note_figures(b"[1]")
        state = await read_state(output)
        assert (state.figures, state.pid, state.done) == (b"[1]", os.getpid(), 8)
        with pytest.raises(ValueError, match="too long"):
            await ledger.note_figures(bytes(FIGURES_BYTES_MAX + 1))
    state = await read_state(output)
    assert (state.figures, state.pid) == (b"[1]", None)


async def test_a_look_leaves_nothing_behind(output: Path) -> None:
    """Neither of a batch that was closed in order, nor of one that died with its log."""
    await begun(output)
    before = names(output)
    assert (await read_state(output)).done == 8
    assert names(output) == before


@pytest.mark.parametrize("has_memory", [True, False])
async def test_a_log_that_was_left_is_read(
    output: Path, tmp_path: Path, *, has_memory: bool
) -> None:
    """With SQLite's second file or without it; the folder stays as it is."""
    killed = tmp_path / "killed" / output.name
    killed.parent.mkdir()
    async with open_ledger(output, SETTINGS, is_resumed=False) as ledger:
        await ledger.commit([entry_of(number) for number in range(10)])
        for path in output.parent.glob("out.*"):
            shutil.copyfile(path, killed.parent / path.name)
    assert beside(Paths(killed).journal, "-wal").stat().st_size
    if not has_memory:
        beside(Paths(killed).journal, "-shm").unlink()
    before = names(killed)
    state = await read_state(killed)
    assert (state.done, state.failed, state.pid) == (8, 2, None)
    assert names(killed) == before
    async with open_ledger(killed, SETTINGS, is_resumed=True) as ledger:
        assert ledger.state.done == 8


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs rights that are kept")
async def test_a_folder_that_cannot_be_written(output: Path) -> None:
    """Is enough for a look."""
    await begun(output)
    output.parent.chmod(0o555)
    try:
        assert (await read_state(output)).done == 8
    finally:
        output.parent.chmod(0o755)


async def test_a_still_journal_is_opened_without_locks(output: Path) -> None:
    """So nothing is written, whoever may write there."""
    await begun(output)
    with look_into(Paths(output).journal, is_held=False) as journal:
        assert journal.last().totals.done == 8
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            journal.set_figures(b"")


def test_who_holds_a_lock_is_told(tmp_path: Path) -> None:
    """Also that nobody does, and to ask hinders nobody."""
    path = tmp_path / "lock"
    assert holder_of(path) is None
    lock = Lock.take(path, tmp_path)
    assert holder_of(path) == os.getpid()
    with pytest.raises(OutputBusyError, match=f"process {os.getpid()}"):
        Lock.take(path, tmp_path)
    lock.release()
    path.write_text("4711\n")
    assert holder_of(path) is None
    Lock.take(path, tmp_path).release()
