"""What a job that is there already goes on with: what was asked, how, and of which rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from triollama_adapters.batch.errors import JournalBrokenError, NoBatchError
from triollama_adapters.batch.input.blocks import STANDARD
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.ledger import Ledger
from triollama_adapters.batch.ledger.state import BatchState, read_state
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.changes import compare
from triollama_adapters.cli._batch_use import Use
from triollama_adapters.cli._failures import CliError

__all__ = ["forget_failed", "limited", "recipe_of", "used_before"]


def recipe_of(output: Path, state: BatchState) -> Recipe:
    """What a job was begun with.

    Raises:
        CliError: that is lost.
    """
    if state.settings is None:
        raise CliError(
            f"what was asked is lost with an earlier journal of {output}; begin the job as the "
            "first time, with --go-on"
        )
    return Recipe(**state.settings)


async def limited(output: Path, limit: int) -> Mapping[str, Any]:
    """The settings of a job that is there, with another limit of rows.

    Args:
        output: where its answers are.
        limit: so many rows at most; 0: all.

    Raises:
        BatchError: as of `read_state`.
        CliError: the settings are lost.
    """
    state = await read_state(output)
    return attrs.evolve(recipe_of(output, state), limit=limit or None).settings()


async def used_before(output: Path, use: Use) -> Use:
    """What was given for a job before, and now; nothing of before if its journal does not tell.

    Args:
        output: where its answers are.
        use: what was given now, which counts for more.

    Raises:
        BatchError: as of `read_state`, but not of a journal that is lost or broken.
    """
    try:
        state = await read_state(output)
    except (NoBatchError, JournalBrokenError):
        return use
    return use.after(state.notes or {})


async def forget_failed(ledger: Ledger, recipe: Recipe, *, accepts_changes: bool) -> None:
    """Have the rows asked again that failed, once it is known that the job will not be refused.

    For that the input is read once more than it will be, if it can be read twice; rows that were
    answered are not parsed.

    Args:
        ledger: of the job.
        recipe: what is read.
        accepts_changes: whether rows that were answered may have changed, or be gone.

    Raises:
        InputChangedError: they have, and may not.
        InputError: the input cannot be read.
        LedgerError: as of `Ledger.retry_failed`.
    """
    if not ledger.state.failed:
        return
    if not accepts_changes and await trio.to_thread.run_sync(_can_be_read_twice, recipe.input):
        async with open_rows(recipe.wanted()) as source:
            await compare(source, ledger.without_failed())
    await ledger.retry_failed()


def _can_be_read_twice(name: str) -> bool:
    """Whether an input is no pipe. Looks at the file system: blocking."""
    path = Path(name)
    return name != STANDARD and (path.is_file() or path.is_dir())
