"""What the first rows of an input tell: a mistake that all share ends a batch at once. No IO.

Else each row would fail for good, and be kept as that.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.fields import Fields, UnusableError, listed
from triollama_adapters.batch.input.feeds import Feed, Record
from triollama_adapters.batch.input.filters import Filter
from triollama_adapters.batch.input.json_lines import JsonRecord
from triollama_adapters.batch.input.requests import PlainRequests

__all__ = ["check_has_prompts", "check_no_table", "delimiter_hint"]

ROWS_TOLD_BY: Final = 20
"""So many rows in a row are no accident."""

LOOKED_AT_MAX: Final = 200
"""Records looked at for them: not more than take some milliseconds."""

_NO_OBJECTS: Final = frozenset({"LineNotJson", "LineNotAnObject"})

_DELIMITERS: Final = (",", ";", "\t", "|")


def check_has_prompts(
    feed: Feed, records: Sequence[Record], requests: PlainRequests, which: Filter
) -> None:
    """See that some of the first rows have what is asked, where each may have fields of its own.

    Args:
        feed: the input.
        records: its first ones.
        requests: what makes requests of them.
        which: the filter, as other rows may well lack it.

    Raises:
        ChoiceError: none of them has it, and they are many, or all that there are.
    """
    lacking: list[Fields] = []
    for record in islice(records, LOOKED_AT_MAX):
        try:
            fields = record.fields()
            if not which.wants(fields):
                continue
        except UnusableError:
            continue
        if requests.fits(fields):
            return
        lacking.append(fields)
        if len(lacking) == ROWS_TOLD_BY:
            break
    if len(lacking) < ROWS_TOLD_BY and not (lacking and _is_all(feed, records)):
        return
    first = lacking[0]
    missing = next((name for name in requests.template.names if name not in first), "")
    rows = f"the first {ROWS_TOLD_BY} rows" if len(lacking) == ROWS_TOLD_BY else "the rows"
    raise ChoiceError(
        f"what is asked is {missing!r}, which none of {rows} of {feed.name} has; the first has: "
        f"{listed(first)}; name a field with --field or --prompt"
    )


def check_no_table(feed: Feed, records: Sequence[Record]) -> None:
    """See that what is read as lines of JSON is not plainly CSV.

    Args:
        feed: the input.
        records: its first ones.

    Raises:
        InputError: it is.
    """
    contents: list[str] = []
    for record in islice(records, ROWS_TOLD_BY):
        if not isinstance(record, JsonRecord) or record.line.content is None:
            return
        try:
            record.fields()
        except UnusableError as error:
            if error.kind not in _NO_OBJECTS:
                return
        else:
            return
        contents.append(record.line.content.decode())
    if len(contents) < 2 or _may_be_json(contents[0]):
        return
    for delimiter in _DELIMITERS:
        count = contents[0].count(delimiter)
        if count and count == contents[1].count(delimiter):
            more = "" if delimiter == "," else f" --delimiter {_told(delimiter)}"
            raise InputError(
                f"the input {feed.name} is no JSON lines, and looks like a table: give "
                f"--format csv{more}"
            )


def delimiter_hint(columns: Sequence[str]) -> str:
    """What to do about a table whose cells seem to be parted otherwise; empty if they do not."""
    if len(columns) != 1:
        return ""
    found = [each for each in _DELIMITERS if each in columns[0]]
    return f"; if that is what parts them, give --delimiter {_told(found[0])}" if found else ""


def _may_be_json(line: str) -> bool:
    """Whether a line is JSON, if no object, or was meant to be."""
    line = line.lstrip("\ufeff \t")
    if line.startswith(("{", "[")):
        return True
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def _is_all(feed: Feed, records: Sequence[Record]) -> bool:
    """Whether the input has no more than these, as far as that can be told."""
    size_bytes = feed.size_bytes
    if size_bytes is None or len(records) > ROWS_TOLD_BY:
        return False
    return sum(record.size_bytes for record in records) >= size_bytes


def _told(delimiter: str) -> str:
    """A delimiter as a shell takes it."""
    return "$'\\t'" if delimiter == "\t" else f"'{delimiter}'"
