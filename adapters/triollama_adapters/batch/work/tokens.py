"""How many tokens a minute a job may use. No IO, no clock.

A bucket that fills at the allowed rate and holds a few seconds of it. A row takes out what it is
expected to cost when it is begun, and what was expected wrongly is put right when it has ended. It
may be begun while the bucket is not empty, so no row is too large for it: a long one is paid off
afterwards.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["BURST_S", "TokenBudget"]

BURST_S: Final = 5.0
"""So many seconds of the rate may be saved up: what is not used in one minute is not made up for
in the next."""

BYTES_PER_TOKEN: Final = 4.0
"""Of a prompt in English, about; only until the row has ended."""


@attrs.define
class TokenBudget:
    """See the module. All times are seconds on the caller's clock.

    Args:
        per_minute: tokens of prompts and answers together; more than 0.
    """

    per_minute: float
    _left: float = attrs.field(init=False)
    _filled_s: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        assert self.per_minute > 0
        self._left = self._most

    @property
    def _most(self) -> float:
        return self.per_minute / 60.0 * BURST_S

    def wait_s(self, now_s: float) -> float:
        """How long no row may be begun; 0 if one may be now."""
        self._fill(now_s)
        return 0.0 if self._left > 0.0 else (1.0 - self._left) * 60.0 / self.per_minute

    def begun(self, size_bytes: int, expected: float, now_s: float) -> float:
        """A row is begun; what it took out, which `ended` wants.

        Args:
            size_bytes: of the row.
            expected: tokens of its answer.
            now_s: the time.
        """
        self._fill(now_s)
        cost = size_bytes / BYTES_PER_TOKEN + expected
        self._left -= cost
        return cost

    def ended(self, taken: float, tokens: int | None) -> None:
        """A row has ended.

        Args:
            taken: what `begun` returned.
            tokens: what it cost; None if nobody knows.
        """
        if tokens is not None:
            self._left = min(self._left + taken - tokens, self._most)

    def _fill(self, now_s: float) -> None:
        passed_s = now_s - (now_s if self._filled_s is None else self._filled_s)
        self._left = min(self._left + passed_s * self.per_minute / 60.0, self._most)
        self._filled_s = now_s
