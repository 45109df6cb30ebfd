"""How many tokens an answer is expected to have: for the order of the last rows. No IO.

Learnt from the rows that are done, per model. A limit of tokens that answers mostly reach is the
length; one that they do not reach only bounds it, and then prompts of about the same length tell
more. An expectation need not be right: rows are only compared by it.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["Lengths"]

TOKENS_FIRST: Final = 256.0
"""An answer's length before any is done: all are expected to be equal, so it hardly matters."""

BUCKET_ROWS: Final = 8.0
"""Rows of about the same prompt length of which the mean counts as much as that of all rows."""

LIMITED_MIN: Final = 8
"""Rows with a limit that must be done before their share of the limit says anything."""

REACHED_SHARE: Final = 0.5
"""From this mean share of the limit on, limits are what decides lengths."""

MODELS_MAX: Final = 1_000
"""Models that are learnt; further ones share one."""


@attrs.define
class _Mean:
    count: int = 0
    value: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.value += (value - self.value) / self.count


@attrs.define
class _Model:
    every: _Mean = attrs.field(factory=_Mean)
    shares: _Mean = attrs.field(factory=_Mean)
    buckets: dict[int, _Mean] = attrs.field(factory=dict)


class Lengths:
    """What is known of lengths; see the module."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}

    def learn(self, model: str, limit: int | None, size: int, tokens: int) -> None:
        """A row is done.

        Args:
            model: who answered.
            limit: how many tokens it might have; None for no limit.
            size: of the row, in any unit that is the same for all.
            tokens: how many it had.
        """
        known = self._of(model)
        known.every.add(tokens)
        known.buckets.setdefault(size.bit_length(), _Mean()).add(tokens)
        if limit:
            known.shares.add(min(tokens / limit, 1.0))

    def expected(self, model: str, limit: int | None, size: int) -> float:
        """How many tokens a row's answer is expected to have.

        Args:
            model: who answers.
            limit: as in `learn`.
            size: as in `learn`.
        """
        known = self._of(model)
        if not limit:
            return _like(known, size)
        if known.shares.count < LIMITED_MIN:
            return float(limit)
        if known.shares.value >= REACHED_SHARE:
            return limit * known.shares.value
        return min(float(limit), _like(known, size))

    def _of(self, model: str) -> _Model:
        known = self._models.get(model)
        if known is None:
            key = model if len(self._models) < MODELS_MAX else ""
            known = self._models.setdefault(key, _Model())
        return known


def _like(known: _Model, size: int) -> float:
    """The mean of rows of about this size, drawn towards that of all."""
    if not known.every.count:
        return TOKENS_FIRST
    bucket = known.buckets.get(size.bit_length(), _Mean())
    total = bucket.count + BUCKET_ROWS
    return (bucket.count * bucket.value + BUCKET_ROWS * known.every.value) / total
