"""How many tokens of the prompts the server had to read, as far as its times tell. No IO.

It counts all tokens of a prompt, and tells for how long it read. A prompt that was in its cache
took far less for each of its tokens than one that was not. So requests are put together by that
cost, and which costs are those of whole prompts is found out in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["Reading"]

CACHED_BELOW: Final = 0.5
"""Of the cost of a token that no cache holds: what costs less was partly in the cache."""

COLD_SHARE: Final = 0.95
"""Where nobody measured that cost, nineteen requests out of twenty cost no more."""

_BITS: Final = 3
_SCALE: Final = 16
"""Costs are kept in sixteenths of a nanosecond, in buckets of an eighth."""


class Reading:
    """Counts prompts."""

    __slots__ = ("_sums",)

    def __init__(self, sums: Mapping[int, tuple[int, int, int]] | None = None) -> None:
        self._sums = dict(sums or {})

    @property
    def sums(self) -> dict[int, tuple[int, int, int]]:
        """By cost: prompts, their tokens, the time it took."""
        return dict(sorted(self._sums.items()))

    def add(self, tokens: int, prefill_ns: int) -> None:
        """Count a prompt.

        Args:
            tokens: as the server counted them, at least 1.
            prefill_ns: as it told.
        """
        cost = prefill_ns * _SCALE // tokens
        shift = max(0, cost.bit_length() - _BITS - 1)
        key = cost >> shift << shift
        count, all_tokens, time_ns = self._sums.get(key, (0, 0, 0))
        self._sums[key] = (count + 1, all_tokens + tokens, time_ns + prefill_ns)

    def merge(self, other: Reading) -> None:
        """Add what another one counted."""
        for key, (count, tokens, time_ns) in other._sums.items():
            mine = self._sums.get(key, (0, 0, 0))
            self._sums[key] = (mine[0] + count, mine[1] + tokens, mine[2] + time_ns)

    def uncached(self, ns_per_token: float | None) -> float:
        """Tokens that had to be read.

        Args:
            ns_per_token: what one costs that no cache holds; None finds it out from what was
                counted, and is wrong if nearly all prompts were cached.
        """
        cold = self._cold() if ns_per_token is None else ns_per_token
        if cold <= 0:
            return float(sum(tokens for _, tokens, _ in self._sums.values()))
        uncached = 0.0
        for _, tokens, time_ns in self.sums.values():  # sorted: a sum of floats has an order
            is_cached = time_ns < CACHED_BELOW * cold * tokens
            uncached += time_ns / cold if is_cached else tokens
        return uncached

    def _cold(self) -> float:
        left = COLD_SHARE * sum(count for count, _, _ in self._sums.values())
        for _, (count, tokens, time_ns) in sorted(self._sums.items()):
            left -= count
            if left <= 0:
                return time_ns / tokens
        return 0.0
