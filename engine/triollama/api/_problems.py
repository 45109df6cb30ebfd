"""What is wrong with a request: one problem where it is found, and all of them at once.

A request that is right pays nothing for this. Where a check refuses a value, whoever called it goes
over the rest as well, before the error leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from triollama._errors import InvalidRequestError, Problem

__all__ = ["PROBLEMS_MAX", "all_problems", "each_problem", "refused"]

PROBLEMS_MAX = 100
"""Further ones are not looked for: a list of a million wrong messages is one mistake."""

T = TypeVar("T")


def refused(path: str, found: str, allowed: str, text: str = "") -> InvalidRequestError:
    """One problem as an error, to be raised.

    Args:
        path: where it is.
        found: what is there; never its content.
        allowed: what may be there.
        text: the sentence; by default ``PATH must be ALLOWED, not FOUND``.
    """
    return InvalidRequestError(problems=[Problem(path, found, allowed, text)])


def each_problem(checks: Iterable[Callable[[], object]]) -> InvalidRequestError | None:
    """Make all checks, and put what they refuse into one error; None if they refuse nothing."""
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except InvalidRequestError as error:
            problems += error.problems
        if len(problems) >= PROBLEMS_MAX:
            break
    return InvalidRequestError(problems=problems[:PROBLEMS_MAX]) if problems else None


def all_problems(
    kind: type[Any],
    given: Mapping[str, object],
    first: InvalidRequestError,
    noted: Sequence[Problem] = (),
) -> InvalidRequestError:
    """All that is wrong with what a request was to be made of.

    Args:
        kind: the request's attrs class. Its ``check_together``, if it has one, looks at the fields
            beside each other.
        given: its fields by name, as the caller gave them.
        first: what was refused first.
        noted: what else is known to be wrong.
    """
    checks: list[Callable[[], object]] = [
        _check_of(field, given[field.name]) for field in attrs.fields(kind) if field.name in given
    ]
    together = getattr(kind, "check_together", None)
    if together is not None:
        checks.append(lambda: together(given))
    error = each_problem(checks)
    found = [*noted, *(() if error is None else error.problems)]
    return InvalidRequestError(problems=list(dict.fromkeys([*found, *first.problems])))


def _check_of(field: attrs.Attribute[Any], value: object) -> Callable[[], object]:
    """What attrs does with one field."""

    def check() -> None:
        converted = field.converter(value) if callable(field.converter) else value
        if field.validator is not None:
            field.validator(None, field, converted)

    return check
