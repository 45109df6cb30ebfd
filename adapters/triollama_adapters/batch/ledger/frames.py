"""Groups of outcomes as bytes, one per transaction, each with a checksum over all of it. No IO.

A group tells which bytes it added to each of the two files, so that each begins where the one
before ended: a group that is missing, doubled or damaged is noticed when they are read in order.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import attrs
import msgspec

__all__ = [
    "NOTHING",
    "DamagedError",
    "Frame",
    "Mark",
    "Span",
    "Totals",
    "follows",
    "next_frame",
    "rows_of",
]


class DamagedError(Exception):
    """The journal does not hold what was written to it. Stays inside: it is rebuilt then."""


class Mark(NamedTuple):
    """One row of a group: a tuple, because a million of them are read at a resume.

    Attributes:
        number: the row's.
        digest: 8 bytes of its digest; 0: unknown.
        size: bytes of its record.
        crc: the record's CRC-32.
        kind: 0 for an answer, else 1 + the place of its kind in the group's `kinds`.
        input_tokens: of all answers that came, those that do not count included.
        output_tokens: of the same.
    """

    number: int
    digest: int
    size: int
    crc: int
    kind: int
    input_tokens: int
    output_tokens: int


class Span(NamedTuple):
    """A range of bytes of a file, from `start` up to `end`."""

    start: int
    end: int


@attrs.frozen
class Totals:
    """Sums over all rows that have an outcome.

    Attributes:
        done: rows that were answered.
        failed: rows that failed for good.
        input_tokens: of all answers that came, also to rows that failed and are forgotten since.
        output_tokens: of the same.
        errors: how many rows failed with each kind of error.
    """

    done: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    errors: Mapping[str, int] = attrs.field(factory=dict)

    def plus(self, marks: Iterable[Mark], kinds: tuple[str, ...]) -> Totals:
        """These and some rows more."""
        done, failed, errors = self.done, self.failed, dict(self.errors)
        input_tokens, output_tokens = self.input_tokens, self.output_tokens
        for mark in marks:
            input_tokens += mark.input_tokens
            output_tokens += mark.output_tokens
            if mark.kind:
                failed += 1
                kind = kinds[mark.kind - 1]
                errors[kind] = errors.get(kind, 0) + 1
            else:
                done += 1
        return Totals(done, failed, input_tokens, output_tokens, errors)

    def without_failed(self) -> Totals:
        """These when the failed rows are forgotten; what they cost is not."""
        return attrs.evolve(self, failed=0, errors={})


class _Told(msgspec.Struct, array_like=True):
    """The part of a frame that is text."""

    at_s: float
    kinds: tuple[str, ...]
    totals: tuple[int, int, int, int, dict[str, int]]


_CRC: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<QBQQQQII")
_MARK: Final = struct.Struct("<QQIIIII")
_ROW: Final = struct.Struct("<QQ8xI8x")
"""The number, the digest and the kind of a mark."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Told).decode


@attrs.frozen
class Frame:
    """One group.

    Attributes:
        id: from 1, without gaps.
        answers: what it added to the file of answers.
        errors: what it added to the file of errors.
        marks: its rows; in each file, their records stand in this order.
        kinds: the kinds of error among them.
        totals: after this group.
        at_s: when, in seconds since 1970.
        is_reset: whether it first forgot all rows that had failed; the errors begin at 0 then.
    """

    id: int
    answers: Span
    errors: Span
    marks: tuple[Mark, ...]
    kinds: tuple[str, ...]
    totals: Totals
    at_s: float
    is_reset: bool = False

    def encode(self) -> bytes:
        """As bytes."""
        told = _encode(_Told(self.at_s, self.kinds, attrs.astuple(self.totals, recurse=False)))
        spans = (*self.answers, *self.errors)
        head = _HEAD.pack(self.id, self.is_reset, *spans, len(self.marks), len(told))
        rest = b"".join((head, told, *[_MARK.pack(*mark) for mark in self.marks]))
        return _CRC.pack(zlib.crc32(rest)) + rest

    @classmethod
    def decode(cls, data: bytes, *, has_marks: bool = True) -> Frame:
        """From bytes.

        Args:
            data: what `encode` gave; all of it is checked.
            has_marks: whether the marks are wanted. A million take half a second, and `rows_of`
                gives the most of them in a tenth.

        Raises:
            DamagedError: they are not what `encode` gave.
        """
        rest = data[_CRC.size :]
        if len(rest) < _HEAD.size or _CRC.unpack_from(data)[0] != zlib.crc32(rest):
            raise DamagedError("a group's checksum is wrong")
        id_, is_reset, *spans, count, told_size = _HEAD.unpack_from(rest)
        marks_at = _HEAD.size + told_size
        if len(rest) != marks_at + count * _MARK.size:
            raise DamagedError("a group has another length")
        told = _decode(rest[_HEAD.size : marks_at])
        return cls(
            id_,
            Span(*spans[:2]),
            Span(*spans[2:]),
            tuple(map(Mark._make, _MARK.iter_unpack(rest[marks_at:]))) if has_marks else (),
            told.kinds,
            Totals(*told.totals),
            told.at_s,
            bool(is_reset),
        )


def rows_of(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each mark of a group the row's number, its digest and its kind.

    Args:
        data: what `Frame.encode` gave, and `Frame.decode` has checked.
    """
    told_size: int = _HEAD.unpack_from(data, _CRC.size)[-1]
    return _ROW.iter_unpack(memoryview(data)[_CRC.size + _HEAD.size + told_size :])


NOTHING: Final = Frame(0, Span(0, 0), Span(0, 0), (), (), Totals(), 0.0)
"""What is before the first group."""


def next_frame(before: Frame, marks: tuple[Mark, ...], kinds: tuple[str, ...]) -> Frame:
    """The group of some rows, now.

    Args:
        before: the group before it.
        marks: its rows.
        kinds: the kinds of error among them.
    """
    size = sum([mark.size for mark in marks])
    errors_size = sum([mark.size for mark in marks if mark.kind])
    answers_end, errors_end = before.answers.end, before.errors.end
    return Frame(
        before.id + 1,
        Span(answers_end, answers_end + size - errors_size),
        Span(errors_end, errors_end + errors_size),
        marks,
        kinds,
        before.totals.plus(marks, kinds),
        time.time(),
    )


def follows(before: Frame, frame: Frame) -> bool:
    """Whether a group is the next one after another."""
    errors_end = 0 if frame.is_reset else before.errors.end
    return (
        frame.id == before.id + 1
        and frame.answers.start == before.answers.end
        and frame.errors.start == errors_end
    )
