"""What comes before a batch touches any file, for whoever runs one: a command or a program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from triollama_adapters.batch.apart import check_apart
from triollama_adapters.batch.ledger.ledger import Ledger, open_ledger
from triollama_adapters.batch.recipe import Recipe

__all__ = ["check_choices", "open_outcomes"]


async def check_choices(recipe: Recipe, output: Path | None) -> None:
    """See that a batch means something and does not eat its own answers; nothing is written.

    Args:
        recipe: what is read, asked and written.
        output: where the answers go; None: nowhere.

    Raises:
        ChoiceError: a value means nothing, a function is missing, or the input is one of the files
            that the batch writes.
    """
    recipe.treatment()
    recipe.wanted()
    if output is not None:
        await trio.to_thread.run_sync(check_apart, recipe.input, output)


@asynccontextmanager
async def open_outcomes(
    recipe: Recipe,
    output: Path,
    *,
    is_resumed: bool | None,
    notes: Mapping[str, Any] | None = None,
    accepts_changes: bool = False,
) -> AsyncIterator[Ledger]:
    """Open the ledger of a batch that is told whole, after `check_choices`.

    Args:
        recipe: what is read, asked and written.
        output: where the answers go.
        is_resumed: as of `open_ledger`.
        notes: as of `open_ledger`.
        accepts_changes: as of `open_ledger`.

    Raises:
        BatchError: as of `check_choices` and `open_ledger`.
    """
    await check_choices(recipe, output)
    async with open_ledger(
        output,
        recipe.settings(),
        notes=notes,
        is_resumed=is_resumed,
        accepts_changes=accepts_changes,
    ) as ledger:
        yield ledger
