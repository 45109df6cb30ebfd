"""``triollama batch … --dry-run``: what would be asked, what is wrong with it, how long it takes.

Reads the whole input, asks the servers for their models, looks at the output, and writes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import msgspec
import trio

from triollama.api import name_key
from triollama_adapters.batch.errors import BatchError, NoBatchError
from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.input.source import RowSource, open_rows
from triollama_adapters.batch.input.survey import Survey, survey
from triollama_adapters.batch.ledger.state import BatchState, read_state
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.cli._batch_job import Use
from triollama_adapters.cli._failures import (
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_UNREACHABLE,
    CliError,
    UnreachableError,
)
from triollama_adapters.cli._fleet import FleetWanted, choose_model, open_fleet
from triollama_adapters.cli._live import open_picture

__all__ = ["Check", "describe_check", "dry_run"]

UNNAMED: Final = "(unnamed)"
"""Stands for the model of rows that name none, where nobody else does."""

_WITH_MODELS: Final = frozenset({Format.OPENAI, Format.OLLAMA})


@attrs.frozen(kw_only=True)
class Check:
    """What a dry run found.

    Attributes:
        input: what the input holds.
        unseen: fields that a condition or ``--select`` names, and no row has.
        missing: models that are asked and that no server has; None if no server told.
        problems: what is wrong, one line each; none: the job can run.
        left: rows that would be asked now.
        answer_tokens: of those rows' answers; None if nothing is known.
        answer_tokens_from: where that is from, in words.
        seconds: how long it takes; None if nothing is known.
        seconds_from: where that is from, in words.
    """

    input: Survey
    unseen: Sequence[str]
    missing: Sequence[str] | None
    problems: Sequence[str]
    left: int
    answer_tokens: int | None
    answer_tokens_from: str
    seconds: float | None
    seconds_from: str


@attrs.frozen
class _Fleet:
    """What the servers told."""

    models: Sequence[str] | None
    problem: CliError | None = None


async def dry_run(output: Path, recipe: Recipe, use: Use, *, is_resumed: bool, json: bool) -> int:
    """Look at everything, do nothing, and say what would be done.

    Args:
        output: where the answers would go.
        recipe: what would be asked.
        use: of which servers.
        is_resumed: whether the output may exist.
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
        if model is None and await source.look() not in _WITH_MODELS:
            model, problem = _chosen(fleet.models, use)
            problems += [problem] if problem else []
        source.take_model(model or UNNAMED)
        async with _shown(source):
            found = await survey(source)
        unseen = source.unseen
    before, told = await _look_at_output(output, is_resumed=is_resumed)
    problems += told
    check = _judge(found, unseen, recipe, models=fleet.models, problems=problems, before=before)
    _tell(check, json=json)
    if isinstance(fleet.problem, UnreachableError):
        return EXIT_UNREACHABLE
    return EXIT_SOME_FAILED if check.problems else EXIT_OK


# ---- looking


async def _look_at_fleet(use: Use) -> _Fleet:
    wanted = FleetWanted(
        endpoints=use.endpoint or (), simulate=use.simulate or 0, needs_model=False
    )
    try:
        async with open_fleet(wanted, sys.stderr) as fleet:
            return _Fleet(fleet.models)
    except CliError as error:
        return _Fleet(None, error)


def _chosen(models: Sequence[str] | None, use: Use) -> tuple[str | None, str | None]:
    """The model of rows that name none, or what is wrong with there being none."""
    if models is None:
        return None, None
    try:
        return choose_model(None, models, take_first=bool(use.simulate)), None
    except CliError as error:
        return None, str(error)


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
            line = f"{source.given:,} rows looked at{share}"
            picture.show(line, line)


# ---- judging


def _judge(
    found: Survey,
    unseen: Sequence[str],
    recipe: Recipe,
    *,
    models: Sequence[str] | None,
    problems: Sequence[str],
    before: BatchState | None,
) -> Check:
    has = None if models is None else set(map(name_key, models))
    asked = [model for model in found.models if model != UNNAMED]
    missing = None if has is None else [each for each in asked if name_key(each) not in has]
    settled = 0 if before is None else before.done + before.failed
    left = max(0, found.rows - settled)
    tokens, tokens_from = _guess_tokens(left, before, recipe)
    seconds, seconds_from = _guess_time(left, before)
    return Check(
        input=found,
        unseen=unseen,
        missing=missing,
        problems=[*problems, *_problems(found, unseen, missing or ())],
        left=left,
        answer_tokens=tokens,
        answer_tokens_from=tokens_from,
        seconds=seconds,
        seconds_from=seconds_from,
    )


def _problems(found: Survey, unseen: Sequence[str], missing: Sequence[str]) -> Iterator[str]:
    if not found.rows:
        yield "there are no rows to ask"
    if found.bad:
        yield f"{sum(found.bad.values()):,} rows cannot be asked; the first: {found.first_error}"
    if found.duplicates:
        yield f"{found.duplicates:,} rows have the custom_id of an earlier row"
    for model in missing:
        yield f"no server has the model {model!r}"
    for name in unseen:
        yield f"no row has a field {name!r}"


def _guess_tokens(left: int, before: BatchState | None, recipe: Recipe) -> tuple[int | None, str]:
    if before is not None and before.done:
        of_each = before.output_tokens / before.done
        return round(left * of_each), f"as long as the {before.done:,} answers so far"
    most = (recipe.options or {}).get("num_predict")
    if isinstance(most, int) and most > 0:
        return left * most, "at most, by num_predict"
    return None, "unknown before the first answers"


def _guess_time(left: int, before: BatchState | None) -> tuple[float | None, str]:
    if before is None or before.updated_s is None or not before.done + before.failed:
        return None, "unknown before the first answers"
    settled = before.done + before.failed
    took_s = max(0.0, before.updated_s - before.started_s)
    return left * took_s / settled, f"as fast as the {settled:,} rows so far, pauses included"


# ---- telling


def _tell(check: Check, *, json: bool) -> None:
    if json:
        sys.stdout.write(msgspec.json.encode(attrs.asdict(check)).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in describe_check(check)))
    sys.stdout.flush()


def describe_check(check: Check) -> Iterator[str]:
    """What was found, as lines."""
    found = check.input
    yield _line("rows", f"{found.rows:,}")
    if found.filtered:
        yield _line("left out", f"{found.filtered:,}")
    if check.left != found.rows:
        yield _line("rows to do", f"{check.left:,}")
    for kind, count in found.bad.items():
        yield _line(f"  {kind}", f"{count:,}  {_places(found.bad_places[kind], count)}")
    if found.duplicates:
        places = tuple(f"row {number + 1:,}" for number in found.duplicate_places)
        yield _line("same custom_id", f"{found.duplicates:,}  {_places(places, found.duplicates)}")
    for name, count in found.ignored.items():
        yield _line(f"  {name} ignored", f"{count:,}")
    for model, count in found.models.items():
        is_missing = check.missing is not None and model in check.missing
        yield _line("model", f"{count:,}  {model}{'  MISSING' if is_missing else ''}")
    yield _line("prompt tokens", f"about {found.tokens:,}  (a token for each 4 characters)")
    yield _line("answer tokens", _told(check.answer_tokens, check.answer_tokens_from))
    seconds = None if check.seconds is None else round(check.seconds)
    yield _line("seconds", _told(seconds, check.seconds_from))
    for problem in check.problems:
        yield f"problem: {problem}"
    yield "nothing was asked or written" + ("" if check.problems else "; all is well")


def _line(name: str, value: str) -> str:
    return f"{name:<22}{value}"


def _places(places: Sequence[str], count: int) -> str:
    return ", ".join(places) + (", …" if count > len(places) else "")


def _told(number: int | None, whence: str) -> str:
    return whence if number is None else f"about {number:,}  ({whence})"
