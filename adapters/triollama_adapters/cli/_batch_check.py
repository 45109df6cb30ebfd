"""What a dry run found, judged and in words. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from triollama.api import name_key
from triollama_adapters.batch.figures.prices import FREE, Prices
from triollama_adapters.batch.input.survey import Survey
from triollama_adapters.batch.ledger.state import BatchState
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.cli._batch_words import count_rows, money

__all__ = ["UNNAMED", "Check", "describe_check", "judge"]

UNNAMED: Final = "(unnamed)"
"""Stands for the model of rows that name none, where nobody else does."""


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
        cost: of those rows, in the currency of the prices; None without prices.
        cost_from: of what that is, in words.
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
    cost: float | None = None
    cost_from: str = ""


def judge(
    found: Survey,
    unseen: Sequence[str],
    recipe: Recipe,
    *,
    models: Sequence[str] | None,
    problems: Sequence[str],
    before: BatchState | None,
    prices: Prices = FREE,
) -> Check:
    """Put together what was looked at.

    Args:
        found: what the input holds.
        unseen: fields that are named, and that no row has.
        recipe: what would be asked.
        models: those that the servers have; None if none told.
        problems: what is known to be wrong.
        before: what an earlier run left; None if there was none.
        prices: what tokens cost.
    """
    has = None if models is None else set(map(name_key, models))
    asked = [model for model in found.models if model != UNNAMED]
    missing = None if has is None else [each for each in asked if name_key(each) not in has]
    left = max(0, found.rows - (before.settled if before is not None else 0))
    tokens, tokens_from = _guess_tokens(left, before, recipe)
    seconds, seconds_from = _guess_time(left, before)
    cost, cost_from = _guess_cost(found, left, tokens, prices)
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
        cost=cost,
        cost_from=cost_from,
    )


def _problems(found: Survey, unseen: Sequence[str], missing: Sequence[str]) -> Iterator[str]:
    if not found.rows:
        left_out = f": all {count_rows(found.filtered)} are left out" if found.filtered else ""
        yield f"there are no rows to ask{left_out}"
    if found.bad:
        bad = count_rows(sum(found.bad.values()))
        yield f"{bad} cannot be asked; the first: {found.first_error}"
    if found.duplicates:
        have = "has" if found.duplicates == 1 else "have"
        yield f"{count_rows(found.duplicates)} {have} the custom_id of an earlier row"
    for model in missing:
        yield f"no server has the model {model!r}"
    for name in unseen:
        yield f"no row has a field {name!r}"


def _guess_cost(
    found: Survey, left: int, answer_tokens: int | None, prices: Prices
) -> tuple[float | None, str]:
    """What the rows that are left cost, as far as that can be guessed."""
    prompt_tokens = round(found.tokens * left / found.rows) if found.rows else 0
    cost = prices.cost(prompt_tokens, answer_tokens or 0)
    of_answers = prices.output is None or answer_tokens is not None
    return cost, "prompts and answers" if of_answers else "prompts only"


def _guess_tokens(left: int, before: BatchState | None, recipe: Recipe) -> tuple[int | None, str]:
    if before is not None and before.output_tokens and before.settled:
        of_each = before.output_tokens / before.settled
        return round(left * of_each), f"as many as for the {count_rows(before.settled)} so far"
    most = (recipe.options or {}).get("num_predict")
    if isinstance(most, int) and most > 0:
        return left * most, "at most, by num_predict"
    return None, "unknown before the first answers"


def _guess_time(left: int, before: BatchState | None) -> tuple[float | None, str]:
    if before is None or before.updated_s is None or not before.settled:
        return None, "unknown before the first answers"
    took_s = max(0.0, before.updated_s - before.started_s)
    told = f"as fast as the {count_rows(before.settled)} so far, pauses included"
    return left * took_s / before.settled, told


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
    if check.cost is not None:
        yield _line("cost", f"about {money(check.cost)}  ({check.cost_from})")
    for problem in check.problems:
        yield f"problem: {problem}"
    yield "nothing was asked or written" + ("" if check.problems else "; all is well")


def _line(name: str, value: str) -> str:
    return f"{name:<22}{value}"


def _places(places: Sequence[str], count: int) -> str:
    return ", ".join(places) + (", …" if count > len(places) else "")


def _told(number: int | None, whence: str) -> str:
    return whence if number is None else f"about {number:,}  ({whence})"
