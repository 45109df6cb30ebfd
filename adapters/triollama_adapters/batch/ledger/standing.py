"""What is known of each row, in memory: 8¼ bytes a row, in pages that are made when touched."""

from __future__ import annotations

import enum
from array import array
from typing import Final

import attrs

__all__ = ["PAGE_ROWS", "Standing", "Standings", "short_digest"]

PAGE_ROWS: Final = 1 << 16
"""Rows of a page, 528 KiB: no list of all rows is ever copied to grow it, and rows whose numbers
are far apart (a share of the input) cost no more than the pages that they touch."""

_UNKNOWN: Final = 0


class Standing(enum.Enum):
    """What an earlier commit says of a row."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"
    CHANGED = "changed"
    """It has an outcome, but was another row then."""


def short_digest(digest: bytes) -> int:
    """The 8 bytes of a row's digest that are kept, as a number that is never 0.

    A changed row is taken for the old one in 1 of 2⁶⁴ cases.
    """
    return int.from_bytes(digest[:8], "little") or 1


def _digests() -> array[int]:
    return array("Q", bytes(8 * PAGE_ROWS))


def _bits() -> bytearray:
    return bytearray(PAGE_ROWS // 8)


@attrs.define
class _Page:
    digests: array[int] = attrs.field(factory=_digests)
    done: bytearray = attrs.field(factory=_bits)
    failed: bytearray = attrs.field(factory=_bits)


class Standings:
    """All rows that have an outcome.

    One thread may write while others read: a row's digest is there before its outcome.
    """

    def __init__(self) -> None:
        self._pages: dict[int, _Page] = {}

    def of(self, number: int, digest: int) -> Standing:
        """What is known of a row whose short digest is now `digest`."""
        page = self._pages.get(number // PAGE_ROWS)
        if page is None:
            return Standing.NEW
        at = number % PAGE_ROWS
        byte, bit = at >> 3, 1 << (at & 7)
        is_done = page.done[byte] & bit
        if not is_done and not page.failed[byte] & bit:
            return Standing.NEW
        if page.digests[at] not in (digest, _UNKNOWN):
            return Standing.CHANGED
        return Standing.DONE if is_done else Standing.FAILED

    def has(self, number: int) -> bool:
        """Whether the row has an outcome."""
        return self.of(number, _UNKNOWN) is not Standing.NEW

    def add(self, number: int, digest: int, *, is_failed: bool) -> None:
        """Note an outcome.

        Args:
            number: the row's.
            digest: its short digest; 0 if that is unknown: then any row passes for it.
            is_failed: whether it failed for good.
        """
        page = self._pages.get(number // PAGE_ROWS)
        if page is None:
            page = self._pages[number // PAGE_ROWS] = _Page()
        at = number % PAGE_ROWS
        page.digests[at] = digest
        bits = page.failed if is_failed else page.done
        bits[at >> 3] |= 1 << (at & 7)

    def forget_failed(self) -> None:
        """Make every row new that failed."""
        for page in self._pages.values():
            page.failed[:] = bytes(PAGE_ROWS // 8)
