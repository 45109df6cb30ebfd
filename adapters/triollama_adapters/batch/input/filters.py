"""Which rows are asked: a shard, a sample, a condition, so many at most. No IO.

They hold in this order. A shard and a sample are known before a row is parsed; a row that cannot be
parsed passes a condition, so that it is told and not lost.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Final

import attrs

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import Fields
from triollama_adapters.batch.input.template import shown

__all__ = ["Condition", "Filter", "parse_condition", "parse_shard"]

_HASH_SPAN: Final = 2**64

_PATTERN: Final = re.compile(r"(.+?)(!=|<=|>=|==|=|~|<|>)(.*)", re.DOTALL)
_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@attrs.frozen
class Condition:
    """A condition on one field. Made by `parse_condition`.

    Attributes:
        name: the field.
        test: told of its text, None where there is none.
    """

    name: str
    test: Callable[[str | None], bool]

    def holds(self, fields: Fields) -> bool:
        """Whether a row fulfils it."""
        raw = fields.get(self.name)
        return self.test(None if raw is None else shown(raw))


def parse_condition(text: str) -> Condition:
    """Read a condition such as ``lang=en``.

    ``=``, which may be ``==``, and ``!=`` compare the text of the field; ``~`` looks for a regular
    expression in it; ``<``, ``<=``, ``>`` and ``>=`` compare numbers, and what is no number does
    not fulfil them. A row without the field fulfils ``!=`` only.

    Raises:
        ChoiceError: it has no field or operator, no number behind ``<``, or no valid expression.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ChoiceError("a condition is FIELD=VALUE, or with !=, ~, <, <=, >, >= in place of =")
    name, sign, value = match[1].strip(), match[2], match[3].strip()
    match sign:
        case "=" | "==":
            return Condition(name, lambda found: found == value)
        case "!=":
            return Condition(name, lambda found: found != value)
        case "~":
            return Condition(name, _searching(value))
        case _:
            return Condition(name, _comparing(sign, value))


def _searching(value: str) -> Callable[[str | None], bool]:
    try:
        search = re.compile(value).search
    except re.error as error:
        raise ChoiceError(f"the expression behind ~ is not valid: {error}") from None
    return lambda found: found is not None and search(found) is not None


def _comparing(sign: str, value: str) -> Callable[[str | None], bool]:
    limit = _number(value)
    if limit is None:
        raise ChoiceError(f"behind {sign} a condition has a number, not {value!r}")
    holds = _ORDERS[sign]

    def test(found: str | None) -> bool:
        number = None if found is None else _number(found)
        return number is not None and holds(number, limit)

    return test


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def parse_shard(text: str) -> tuple[int, int]:
    """Read a shard such as ``3/8``: the third of eight.

    Returns:
        Its place, from 0, and how many there are.

    Raises:
        ChoiceError: it is not of that form, or not among them.
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ChoiceError(f"a shard is K/N with K from 1 to N, such as 3/8, not {text!r}")
    return int(match[1]) - 1, int(match[2])


def _check_share(_: object, __: object, value: float) -> None:
    if not 0 < value <= 1:  # NaN is not
        raise ChoiceError(f"a sample is a share above 0 and at most 1, such as 0.1, not {value}")


def _check_limit(_: object, __: object, value: int | None) -> None:
    if value is not None and value < 1:
        raise ChoiceError(f"a limit is at least one row, not {value}")


@attrs.frozen(kw_only=True)
class Filter:
    """Which rows are asked.

    Attributes:
        shard: place from 0 and number of shards; rows are dealt out by their number.
        sample: the share of rows, by their content: the same rows each time.
        conditions: all of them must hold.
        limit: so many rows at most, the first that fulfil the others; None for all.

    Raises:
        ChoiceError: a share or limit that leaves nothing.
    """

    shard: tuple[int, int] = (0, 1)
    sample: float = attrs.field(default=1.0, validator=_check_share)
    conditions: tuple[Condition, ...] = ()
    limit: int | None = attrs.field(default=None, validator=_check_limit)

    def takes(self, number: int) -> bool:
        """Whether a row is of the shard."""
        place, count = self.shard
        return number % count == place

    def draws(self, digest: bytes) -> bool:
        """Whether a row is of the sample."""
        return self.sample >= 1 or int.from_bytes(digest[:8]) < self.sample * _HASH_SPAN

    def wants(self, fields: Fields) -> bool:
        """Whether a row fulfils the conditions."""
        return all(condition.holds(fields) for condition in self.conditions)

    def may_want(self, known: Fields) -> bool:
        """Whether a row of which only these fields can be read may fulfil the conditions."""
        return all(each.holds(known) for each in self.conditions if each.name in known)
