"""What is known of each row, in memory, in pages that are made when touched.

A row that has its outcome from an earlier run takes 8⅛ bytes: its digest tells whether it is still
the same row. One that gets it in this run takes ⅛ byte: nobody reads it again. Where a row of a
page has failed, each of its rows takes ⅛ byte more.
"""

from __future__ import annotations

import enum
from array import array
from collections.abc import Iterable
from typing import Final

import attrs

__all__ = ["PAGE_ROWS", "SHORT_BYTES", "Answered", "Standing", "Standings", "short_digest"]

PAGE_ROWS: Final = 1 << 16
"""Rows of a page, 8 KiB, as much again if one failed, and 512 for digests: no list of all rows is
ever copied to grow it, and rows whose numbers are far apart (a share of the input) cost no more
than the pages that they touch."""

SHORT_BYTES: Final = 8
"""Of a digest are kept."""

_UNKNOWN: Final = 0


class Standing(enum.Enum):
    """What an earlier commit says of a row."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"
    CHANGED = "changed"
    """It has an outcome from an earlier run, but was another row then."""


def short_digest(digest: bytes) -> int:
    """The 8 bytes of a row's digest that are kept, as a number that is never 0.

    A changed row is taken for the old one in 1 of 2⁶⁴ cases.
    """
    return int.from_bytes(digest[:SHORT_BYTES], "little") or 1


def _digests() -> array[int]:
    return array("Q", bytes(8 * PAGE_ROWS))


def _bits() -> bytearray:
    return bytearray(PAGE_ROWS // 8)


_NONE_FAILED: Final = bytes(PAGE_ROWS // 8)
"""What all pages share in which no row has failed: most of them."""


@attrs.define
class _Page:
    digests: array[int] | None = None
    done: bytearray = attrs.field(factory=_bits)
    failed: bytes | bytearray = _NONE_FAILED

    def note(self, at: int, *, is_failed: bool) -> None:
        """Note the outcome of a row."""
        bits = self._own_failed() if is_failed else self.done
        bits[at >> 3] |= 1 << (at & 7)

    def _own_failed(self) -> bytearray:
        if not isinstance(self.failed, bytearray):
            self.failed = _bits()
        return self.failed

    def are_known(self, at: int, digests: bytes) -> bool:
        """See `Standings.are_known`; the rows are all of this page."""
        count = len(digests) // SHORT_BYTES
        if self.digests is None or self.digests[at : at + count].tobytes() != digests:
            return False
        low, high = at >> 3, (at + count + 7) >> 3
        done = int.from_bytes(self.done[low:high], "little")
        failed = int.from_bytes(self.failed[low:high], "little")
        wanted = ((1 << count) - 1) << (at & 7)
        return (done | failed) & wanted == wanted


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
        if page.digests is not None and page.digests[at] not in (digest, _UNKNOWN):
            return Standing.CHANGED
        return Standing.DONE if is_done else Standing.FAILED

    def are_known(self, first: int, digests: bytes) -> bool:
        """Whether rows in a row all have an outcome from an earlier run, and are the same.

        A quick way to pass over most of an input; what it denies may be true, which `of` tells.

        Args:
            first: the number of the first of them.
            digests: the first `SHORT_BYTES` of each digest, one after the other.
        """
        view, end = memoryview(digests), first + len(digests) // SHORT_BYTES
        number = first
        while number < end:
            page = self._pages.get(number // PAGE_ROWS)
            at = number % PAGE_ROWS
            count = min(end - number, PAGE_ROWS - at)
            start = SHORT_BYTES * (number - first)
            part = view[start : start + SHORT_BYTES * count]
            if page is None or not page.are_known(at, bytes(part)):
                return False
            number += count
        return True

    def has(self, number: int) -> bool:
        """Whether the row has an outcome."""
        page = self._pages.get(number // PAGE_ROWS)
        if page is None:
            return False
        at = number % PAGE_ROWS
        return bool((page.done[at >> 3] | page.failed[at >> 3]) & 1 << (at & 7))

    @property
    def end(self) -> int:
        """One more than the highest number of a row that has an outcome; 0 if none has."""
        for key in sorted(self._pages, reverse=True):
            page = self._pages[key]
            bits = int.from_bytes(page.done, "little") | int.from_bytes(page.failed, "little")
            if bits:
                return key * PAGE_ROWS + bits.bit_length()
        return 0

    def without_failed(self) -> Standings:
        """As if the rows that failed were new; all else is shared with these."""
        made = Standings()
        made._pages = {key: _Page(page.digests, page.done) for key, page in self._pages.items()}
        return made

    def add(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Note outcomes of an earlier run.

        Args:
            rows: of each the number, the short digest, and 0 for an answer. A digest of 0 is
                unknown: then any row passes for it.
        """
        pages, key, digests, done = self._pages, -1, array("Q"), bytearray()
        for number, digest, is_failed in rows:
            if number // PAGE_ROWS != key:
                key = number // PAGE_ROWS
                page = pages.get(key)
                if page is None:
                    page = pages[key] = _Page()
                if page.digests is None:
                    page.digests = _digests()
                done, digests = page.done, page.digests
            at = number % PAGE_ROWS
            digests[at] = digest
            if is_failed:
                pages[key].note(at, is_failed=True)
            else:
                done[at >> 3] |= 1 << (at & 7)

    def note(self, number: int, digest: int, *, is_failed: bool) -> None:
        """Note an outcome of this run.

        Args:
            number: the row's.
            digest: its short digest; kept only if those of its neighbours are.
            is_failed: whether it failed for good.
        """
        page = self._pages.get(number // PAGE_ROWS)
        if page is None:
            page = self._pages[number // PAGE_ROWS] = _Page()
        at = number % PAGE_ROWS
        if page.digests is not None:
            page.digests[at] = digest
        page.note(at, is_failed=is_failed)

    def forget_failed(self) -> None:
        """Make every row new that failed."""
        for page in self._pages.values():
            page.failed = _NONE_FAILED


@attrs.frozen
class Answered:
    """The rows of a batch that were answered, looked up as in a `Ledger`."""

    _standings: Standings

    @property
    def rows_end(self) -> int:
        """See `Ledger`."""
        return self._standings.end

    def standing(self, number: int, digest: bytes) -> Standing:
        """See `Ledger`."""
        return self._standings.of(number, short_digest(digest))

    def are_known(self, first: int, digests: bytes) -> bool:
        """See `Ledger`."""
        return self._standings.are_known(first, digests)
