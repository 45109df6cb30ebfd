"""The rows of an input: its records parsed and filtered in the loop, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import Fields, UnusableError, listed
from triollama_adapters.batch.input.feeds import Feed, Record
from triollama_adapters.batch.input.first_rows import (
    check_has_prompts,
    check_no_table,
    delimiter_hint,
)
from triollama_adapters.batch.input.json_lines import JsonBlock
from triollama_adapters.batch.input.plan import ANY_MODEL, Format
from triollama_adapters.batch.input.requests import (
    PlainRequests,
    Requests,
    asked,
    choose_requests,
    named_model,
)
from triollama_adapters.batch.input.wanted import Wanted
from triollama_adapters.batch.ledger.standing import SHORT_BYTES
from triollama_adapters.batch.rows import Ask, Row, RowError

__all__ = ["PassesOver", "PassesOverAll", "RowSource"]

ROWS_AT_ONCE: Final = 128
"""Records parsed in one go, some 10 µs each: so long at most does the loop not turn."""

RECORDS_AT_ONCE: Final = 1_024
"""Records looked at in one go, some 1 µs each, if they are passed over unparsed."""

TOGETHER_MIN: Final = 16
"""Fewer records than this are looked at one by one."""

_WITH_MODELS: Final = frozenset({Format.OPENAI, Format.OLLAMA})
"""Formats whose rows name their model."""

PassesOver = Callable[[int, bytes, str], bool]
"""Given a row's number, digest and place: whether it is not wanted, as it was done before."""

PassesOverAll = Callable[[int, bytes], bool]
"""Given the number of the first of some rows in a row, and `SHORT_BYTES` of the digest of each: the
same of all of them. May say no where it is so."""


class RowSource:
    """An open input. Made by `open_rows` or `open_source`; for one task.

    Attributes:
        filtered: rows so far that the filter left out.
        passed_over: rows so far that were done before, and are not given.
    """

    def __init__(self, feed: Feed, wanted: Wanted) -> None:
        self._feed = feed
        self._wanted = wanted
        self._requests: Requests | None = None
        self._passes_over: PassesOver | None = None
        self._passes_over_all: PassesOverAll | None = None
        self._pending: Sequence[Record] = ()
        self._taken = 0
        self._given = 0
        self._rows_seen = 0
        self._is_at_end = False
        self._unseen = {name for _, name in _named(wanted)}
        self._is_parsed = False
        self.filtered = 0
        self.passed_over = 0

    def __repr__(self) -> str:
        return f"<RowSource {self._feed.name!r}, {self._given} rows given>"

    @property
    def size_bytes(self) -> int | None:
        """How long the input is, packed if it is; None if that cannot be known."""
        return self._feed.size_bytes

    @property
    def read_bytes(self) -> int:
        """How much of it has been read: up to a block more than the rows given."""
        return self._feed.read_bytes

    @property
    def given(self) -> int:
        """Rows given so far, those passed over included."""
        return self._given

    @property
    def rows_end(self) -> int | None:
        """How many rows the input has, those that are left out included.

        None before its end, which a limit may keep from being met.
        """
        return self._rows_seen if self._is_at_end else None

    @property
    def ahead(self) -> int:
        """Records that have been read and were not looked at yet."""
        return len(self._pending) - self._taken

    @property
    def requests(self) -> Requests | None:
        """What makes requests of the rows; None before the first record that can be read."""
        return self._requests

    @property
    def unseen(self) -> list[str]:
        """Names in conditions and among the selected fields that no row has had so far.

        None of them while that cannot be said: before the first row, or if rows were passed over.
        """
        is_known = self._is_parsed and not self.passed_over
        return sorted(self._unseen) if is_known else []

    async def look(self) -> Format | None:
        """What the rows are, before any of them is read; None if that cannot be told yet.

        Nothing is taken: `read` gives all rows. Cancelled as `read` is.

        Raises:
            InputError: as `read`.
            ChoiceError: as `read`.
        """
        while not self._pending:
            if not await self._fill():
                return self._feed.format
        for record in self._pending:
            with suppress(UnusableError):
                return self._requests_of(record.fields()).format
        return self._feed.format

    async def names_models(self) -> bool:
        """Whether the rows name their models: those of a format where they do, or the first one.

        Nothing is taken, as by `look`. Cancelled as `read` is.

        Raises:
            InputError: as `read`.
            ChoiceError: as `read`.
        """
        if await self.look() in _WITH_MODELS or ANY_MODEL in self._wanted.plan.models:
            return True
        return await self.first_model() is not None

    async def first_model(self) -> str | None:
        """What the first record is asked of, if it is a plain one that names its model.

        Nothing is taken, as by `look`. Cancelled as `read` is.

        Raises:
            InputError: as `read`.
            ChoiceError: as `read`.
        """
        if await self.look() in _WITH_MODELS:
            return None
        for record in self._pending:
            with suppress(UnusableError):
                named = named_model(record.fields())
                return self._wanted.plan.model_for(named) if named is not None else None
        return None

    def take_model(self, model: str) -> None:
        """Name the model of rows that name none. To be called before the first `read`."""
        plan = attrs.evolve(self._wanted.plan, model=model)
        self._wanted = attrs.evolve(self._wanted, plan=plan)

    def pass_over(self, one: PassesOver, all_: PassesOverAll | None = None) -> None:
        """Leave out rows of which this says so; they are not even parsed.

        They count as given for a limit: they were, before.

        Args:
            one: says it of one row.
            all_: says it of many, sooner.
        """
        self._passes_over = one
        self._passes_over_all = all_

    async def read(self) -> list[Row] | None:
        """Give the next rows, perhaps none; None at the end.

        Cancellation leaves at once, even while a pipe has nothing to give; then it cannot be read
        further.

        Raises:
            InputError: the input cannot be read, is empty, damaged, or no text in UTF-8.
            ChoiceError: a condition, the prompt or a selected field names a column that a table
                does not have.
        """
        if self._is_satisfied():
            return None
        if self._taken == len(self._pending):
            if not await self._fill():
                return None
        else:
            await trio.lowlevel.checkpoint()
        return self._rows()

    async def _fill(self) -> bool:
        """Take the next records, perhaps none, for those that are given; False at the end."""
        records = await self._feed.read()
        if records is None:
            self._is_at_end = True
            return False
        if records:
            self._rows_seen = records[len(records) - 1].number + 1
        if records and self._requests is None:
            if self._feed.columns is not None:
                self._check_names(self._feed.columns)
            elif records[0].number == 0:
                check_no_table(self._feed, records)
        self._pending, self._taken = records, 0
        return True

    def _check_names(self, columns: Sequence[str]) -> None:
        for option, name in _named(self._wanted):
            if name not in columns:
                raise ChoiceError(
                    f"{option} names {name!r}, which is no column of {self._feed.name}; "
                    f"its columns are: {listed(columns)}{delimiter_hint(columns)}"
                )

    def _are_passed_over(self) -> bool:
        """Take the next records if all of them were done before."""
        start, pending = self._taken, self._pending
        stop = min(len(pending), start + RECORDS_AT_ONCE)
        if self._passes_over_all is None or stop - start < TOGETHER_MIN:
            return False
        number, limit = pending[start].number, self._wanted.filter.limit
        is_beyond = limit is not None and self._given + stop - start > limit
        is_in_a_row = pending[stop - 1].number - number == stop - 1 - start
        if is_beyond or not is_in_a_row or not self._is_chosen_by(pending[start]):
            return False
        for end in (start + 1, stop):  # the first one by itself: most often that tells
            if not self._passes_over_all(number, _digests(pending, start, end)):
                return False
        self._taken = stop
        self.passed_over += stop - start
        self._given += stop - start
        return True

    def _rows(self) -> list[Row]:
        if self._are_passed_over():
            return []
        rows: list[Row] = []
        end = min(len(self._pending), self._taken + RECORDS_AT_ONCE)
        limit = self._taken + ROWS_AT_ONCE
        while self._taken < min(end, limit) and not self._is_satisfied():
            record = self._pending[self._taken]
            self._taken += 1
            self._is_chosen_by(record)
            digest = self._digest_if_chosen(record)
            if digest is None:
                self.filtered += 1
            elif self._passes_over is not None and self._passes_over(
                record.number, digest, record.place
            ):
                self.passed_over += 1
                self._given += 1
                limit += 1  # it cost next to nothing
            elif (row := self._row(record, digest)) is None:
                self.filtered += 1
            else:
                rows.append(row)
                self._given += 1
        return rows

    def _is_satisfied(self) -> bool:
        limit = self._wanted.filter.limit
        return limit is not None and self._given >= limit

    def _digest_if_chosen(self, record: Record) -> bytes | None:
        """The digest of a record that the filter takes, as far as that is known unparsed."""
        which = self._wanted.filter
        if not which.takes(record.number):
            return None
        digest = record.digest()
        return digest if which.draws(digest) else None

    def _row(self, record: Record, digest: bytes) -> Row | None:
        """The row of a record; None if it is left out."""
        which = self._wanted.filter
        try:
            fields = record.fields()
        except UnusableError as unusable:
            if which.may_want(unusable.fields):
                return self._made(record, digest, unusable.fields, unusable)
            return None
        self._note(fields)
        try:
            if not which.wants(fields):
                return None
            # Without it no record could be read so far, and this one neither.
            assert self._requests is not None
            return self._made(record, digest, fields, asked(self._requests, fields))
        except UnusableError as unusable:
            return self._made(record, digest, fields, unusable)

    def _made(
        self, record: Record, digest: bytes, fields: Fields, came: Ask | UnusableError
    ) -> Row:
        ask = error = custom_id = None
        if isinstance(came, Ask):
            ask, custom_id = came, came.custom_id
        else:
            error = RowError(came.kind, f"{record.place} {came.what}")
            custom_id = self._requests.custom_id(fields) if self._requests is not None else None
        number, place, size_bytes = record.number, record.place, record.size_bytes
        return Row(number, digest, place, size_bytes, ask, error, fields, custom_id)

    def _note(self, fields: Fields) -> None:
        self._is_parsed = True
        if self._unseen:
            self._unseen.difference_update(fields)

    def _is_chosen_by(self, record: Record) -> bool:
        """Whether it is known how requests are made, now that this record has come."""
        if self._requests is None:
            self._choose(record)
        return self._requests is not None

    def _choose(self, record: Record) -> None:
        # Whatever the filter: all shards of an input take it for the same format.
        try:
            fields = record.fields()
        except UnusableError:
            return
        self._requests = self._requests_of(fields)

    def _requests_of(self, fields: Fields) -> Requests:
        """What makes requests of an input whose first record has these fields."""
        requests = choose_requests(self._feed.format, self._wanted.plan, fields)
        columns = self._feed.columns
        if columns is not None and isinstance(requests, PlainRequests):
            missing = [name for name in requests.template.names if name not in columns]
            if missing:
                raise ChoiceError(
                    f"what is asked is {missing[0]!r}, which is no column of {self._feed.name}; "
                    f"its columns are: {listed(columns)}{delimiter_hint(columns)}; name one with "
                    "--field or --prompt"
                )
        elif isinstance(requests, PlainRequests):
            check_has_prompts(self._feed, self._pending, requests, self._wanted.filter)
        return requests


def _digests(records: Sequence[Record], start: int, stop: int) -> bytes:
    """The first `SHORT_BYTES` of the digests of a range."""
    if isinstance(records, JsonBlock):
        return records.digests(start, stop, SHORT_BYTES)
    return b"".join([records[at].digest()[:SHORT_BYTES] for at in range(start, stop)])


def _named(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """The fields that are named besides what is asked, and by which option."""
    for condition in wanted.filter.conditions:
        yield "--where", condition.name
    for name in wanted.selected:
        yield "--select", name
