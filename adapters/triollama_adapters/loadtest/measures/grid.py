"""How durations were spread in each moment: a coarse histogram for each. No IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from typing import Final

from triollama_adapters.histogram import Histogram, codes_of, edge_of

__all__ = ["Grid"]

WAITING_MAX: Final = 256
"""Values that wait to be counted together; about 0.1 ms."""

_CODE_BITS: Final = 16
_COARSE: Final = 0xFFFC
"""Two bits less, so 32 buckets between two powers of two: a percentile within 1.6 %."""

_BITS: Final = 5


class Grid:
    """Counts durations by moment.

    Args:
        width_ns: how long a moment is.
        counts: what another one told.
    """

    __slots__ = ("_at_ns", "_counts", "_values", "_width_ns")

    def __init__(self, width_ns: int, counts: Mapping[int, int] | None = None) -> None:
        self._width_ns = width_ns
        self._counts: Counter[int] = Counter(counts or {})
        self._at_ns: list[int] = []
        self._values: list[int] = []

    @property
    def counts(self) -> Counter[int]:
        """By moment and bucket, in one number; what the constructor takes."""
        if self._values:
            width, codes = self._width_ns, codes_of(self._values)
            pairs = zip(self._at_ns, codes, strict=True)
            self._counts.update([at // width << _CODE_BITS | code & _COARSE for at, code in pairs])
            self._at_ns.clear()
            self._values.clear()
        return self._counts

    def add(self, at_ns: int, value: int) -> None:
        """Count a duration; a negative one counts as 0.

        Args:
            at_ns: whose moment it belongs to.
            value: in nanoseconds.
        """
        self._at_ns.append(at_ns)
        self._values.append(value if value > 0 else 0)
        if len(self._values) >= WAITING_MAX:
            _ = self.counts

    def add_gaps(self, first_ns: int, gaps_ns: Sequence[int]) -> None:
        """Count the times between chunks, each in the moment in which it was over.

        Args:
            first_ns: when the first chunk came.
            gaps_ns: from one to the next, none of which is negative.
        """
        self._at_ns += islice(accumulate(gaps_ns, initial=first_ns), 1, None)
        self._values += gaps_ns
        if len(self._values) >= WAITING_MAX:
            _ = self.counts

    def by_moment(self) -> dict[int, int]:
        """How many values there are in each moment."""
        found: Counter[int] = Counter()
        for key, count in self.counts.items():
            found[key >> _CODE_BITS] += count
        return found

    def merge(self, other: Grid) -> None:
        """Add what another one counted."""
        self.counts.update(other.counts)

    def histograms(self) -> dict[int, Histogram]:
        """By moment, those in which something was counted."""
        found: dict[int, Histogram] = {}
        for key, count in self.counts.items():
            moment, code = key >> _CODE_BITS, key & _COARSE
            edge = edge_of(code, _BITS)
            width = 1 << max(0, edge.bit_length() - 1 - _BITS)
            found.setdefault(moment, Histogram(_BITS)).record(edge + (width - 1) // 2, count)
        return found
