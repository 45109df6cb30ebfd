"""What errors said, and how often: some of it, the same ones in whatever order they came. No IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final
from zlib import crc32

__all__ = ["DETAILS_MAX", "Details"]

DETAILS_MAX: Final = 32
"""Different texts of one class of errors. With more, those of the lowest checksum are kept: who is
kept in the end was never dropped before, so its count is whole, and the order does not matter."""

TEXT_MAX: Final = 200
"""Characters of a text: it may be a server's own."""


class Details:
    """Counts texts by class."""

    __slots__ = ("_by_class",)

    def __init__(self, counts: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._by_class = {key: Counter(each) for key, each in (counts or {}).items()}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By class, the most frequent text first."""
        return {
            key: dict(sorted(texts.items(), key=lambda item: (-item[1], item[0])))
            for key, texts in sorted(self._by_class.items())
        }

    def add(self, key: str, text: str, count: int = 1) -> None:
        """Count a text; an empty one says nothing."""
        if not text:
            return
        texts = self._by_class.setdefault(key, Counter())
        texts[text[:TEXT_MAX]] += count
        if len(texts) > DETAILS_MAX:
            del texts[max(texts, key=lambda each: (crc32(each.encode()), each))]

    def merge(self, other: Details) -> None:
        """Add what another one counted."""
        for key, texts in other._by_class.items():
            for text, count in texts.items():
                self.add(key, text, count)
