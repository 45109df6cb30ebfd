"""``triollama batch … --dry-run``: what would be asked, what is wrong with it, how long it takes.

Reads the whole input, asks the servers for their models, looks at the output, and writes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import msgspec
import trio

from triollama_adapters.batch.errors import BatchError, NoBatchError
from triollama_adapters.batch.input.source import RowSource, open_rows
from triollama_adapters.batch.input.survey import survey
from triollama_adapters.batch.ledger.settings import agreed
from triollama_adapters.batch.ledger.state import BatchState, read_state
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.cli._batch_check import UNNAMED, Check, describe_check, judge
from triollama_adapters.cli._batch_models import check_first_model
from triollama_adapters.cli._batch_use import Use
from triollama_adapters.cli._batch_words import count_rows
from triollama_adapters.cli._failures import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_UNREACHABLE,
    CliError,
    UnreachableError,
)
from triollama_adapters.cli._fleet import FleetWanted, choose_model, open_fleet
from triollama_adapters.cli._live import open_picture
from triollama_adapters.ray.fleet import parse_pin

__all__ = ["dry_run"]


@attrs.frozen
class _Fleet:
    """What the servers told."""

    models: Sequence[str] | None
    problem: CliError | None = None


async def dry_run(
    output: Path, recipe: Recipe, use: Use, *, is_resumed: bool, accepts_changes: bool, json: bool
) -> int:
    """Look at everything, do nothing, and say what would be done.

    Args:
        output: where the answers would go.
        recipe: what would be asked.
        use: of which servers.
        is_resumed: whether the output may exist.
        accepts_changes: whether it may have been begun with other settings.
        json: print one JSON object.

    Returns:
        The exit code: 0 if all is well, 1 if not, 3 if no server could be reached.

    Raises:
        BatchError: the input cannot be read, or an option means nothing.
    """
    fleet = await _look_at_fleet(use)
    async with open_rows(recipe.wanted()) as source:
        problems = [] if fleet.problem is None else [str(fleet.problem)]
        model = recipe.model
        if model is None and not await source.names_models():
            model, problem = _chosen(fleet.models, use)
            problems += [problem] if problem else []
        problems += await _first_model_problems(source, fleet.models)
        source.take_model(model or UNNAMED)
        async with _shown(source):
            found = await survey(source)
        unseen = source.unseen
    before, told = await _look_at_output(output, is_resumed=is_resumed)
    problems += told
    if before is not None and is_resumed:
        asked = attrs.evolve(recipe, model=model)
        problems += _setting_problems(before, asked, accepts_changes=accepts_changes)
    check = judge(
        found,
        unseen,
        recipe,
        models=fleet.models,
        problems=problems,
        before=before,
        prices=use.prices(),
    )
    _tell(check, json=json)
    if isinstance(fleet.problem, UnreachableError):
        return EXIT_UNREACHABLE
    return EXIT_SOME_FAILED if check.problems else EXIT_OK


# ---- looking


async def _look_at_fleet(use: Use) -> _Fleet:
    wanted = FleetWanted(
        endpoints=_endpoints(use),
        simulate=use.simulate or 0,
        needs_model=False,
        credentials=use.access.credentials(),
    )
    try:
        async with open_fleet(wanted, sys.stderr) as fleet:
            return _Fleet(fleet.models)
    except CliError as error:
        return _Fleet(None, error)


def _endpoints(use: Use) -> Sequence[str]:
    """All servers, also those that one machine asks."""
    return (*(use.endpoint or ()), *(parse_pin(pin)[1] for pin in use.pin or ()))


def _chosen(models: Sequence[str] | None, use: Use) -> tuple[str | None, str | None]:
    """The model of rows that name none, or what is wrong with there being none."""
    if models is None:
        return None, None
    try:
        return choose_model(None, models, take_first=bool(use.simulate)), None
    except CliError as error:
        return None, str(error)


async def _first_model_problems(source: RowSource, models: Sequence[str] | None) -> list[str]:
    try:
        await check_first_model(source, models or ())
    except CliError as error:
        return [str(error)]
    return []


async def _look_at_output(output: Path, *, is_resumed: bool) -> tuple[BatchState | None, list[str]]:
    """What an earlier run left, and whether this one would be refused for it."""
    try:
        state = await read_state(output)
    except NoBatchError:
        exists = await trio.Path(output).exists()
        return None, [f"{output} exists, and is no batch's output"] if exists else []
    except BatchError as error:
        return None, [str(error)]
    if is_resumed:
        return state, []
    return state, [f"{output} exists; go on with: triollama batch resume {output}"]


def _setting_problems(before: BatchState, recipe: Recipe, *, accepts_changes: bool) -> list[str]:
    old = dict(before.settings) if before.settings is not None else None
    try:
        agreed(old, recipe.settings(), accepts_changes=accepts_changes)
    except BatchError as error:
        return [str(error)]
    return []


@asynccontextmanager
async def _shown(source: RowSource) -> AsyncIterator[None]:
    """Show how far the reading is."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_show, source)
        yield
        nursery.cancel_scope.cancel()


async def _show(source: RowSource) -> None:
    with open_picture(sys.stderr) as picture:
        while True:
            await trio.sleep(picture.every_s)
            size = source.size_bytes
            share = f", {min(1.0, source.read_bytes / size):.0%} of the input" if size else ""
            line = f"{count_rows(source.given)} looked at{share}"
            picture.show(line, line)


# ---- telling


def _tell(check: Check, *, json: bool) -> None:
    if json:
        sys.stdout.write(msgspec.json.encode(attrs.asdict(check)).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in describe_check(check)))
    sys.stdout.flush()
