"""Whether the model that the rows of a job name is one that a server has."""

from __future__ import annotations

from collections.abc import Sequence

from triollama import InvalidRequestError
from triollama.api import name_key
from triollama_adapters.batch.input.plan import ANY_MODEL, MODEL_FIELD
from triollama_adapters.batch.input.source import RowSource
from triollama_adapters.cli._failures import CliError

__all__ = ["check_first_model"]


async def check_first_model(source: RowSource, models: Sequence[str]) -> None:
    """See that a server has the model that the first plain row names.

    A table may have a column of that name which means something else; then all rows would fail.
    Nothing is taken of the source. Cancelled as `RowSource.look` is.

    Args:
        source: the input, of which nothing was read.
        models: those of all servers; none: nothing is known of them.

    Raises:
        CliError: no server has it.
    """
    named = await source.first_model()
    if named is None or not models:
        return
    try:
        is_there = name_key(named) in map(name_key, models)
    except InvalidRequestError:
        is_there = False
    if not is_there:
        raise CliError(
            f"the first row's field {MODEL_FIELD!r} names the model {named[:80]!r}, which no "
            f"endpoint has; there are: {', '.join(sorted(models))}; ask another one with "
            f"--model-for NAMED=ASKED, or with '{ANY_MODEL}=ASKED' if that field names no models"
        )
