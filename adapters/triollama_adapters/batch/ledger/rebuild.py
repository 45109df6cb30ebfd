"""A journal from the files alone, when the journal is gone or cannot be read.

Whole records are taken as they are, up to the first that is not whole, names no row, or names one
that has been met. What follows it is not in the new journal, so that opening cuts it off (and keeps
a copy). The digests of rows are unknown then, and tokens are those that the records tell.

The new journal takes the old one's place in steps of which each can be the last before a crash: it
is made under another name; renamed when it is complete; the old one is put aside; and it gets its
name. SQLite would mix the log of the old journal into the new one, so that is moved as well.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import NOTHING, Frame, Mark, next_frame
from triollama_adapters.batch.ledger.journal import About, Journal
from triollama_adapters.batch.ledger.paths import Paths, beside, free_name
from triollama_adapters.batch.ledger.standing import Standings

__all__ = ["LOGS", "NUMBER_MAX", "RECORD_BYTES_MAX", "finish_rebuild", "foreign_file", "rebuild"]

RECORD_BYTES_MAX: Final = 256 << 20
"""Of one record, its line end included. The engine's own limit on an answer is far below; this one
keeps a file without line ends from being read whole."""

NUMBER_MAX: Final = (1 << 40) - 1
"""The last row that an input may have."""

_GROUP_ROWS = 1_000

LOGS: Final = ("-wal", "-shm")
"""What SQLite appends to the name of a database for its own files."""


T = TypeVar("T")

NO_JSON: Final = msgspec.Raw(b"{}")

Tokens = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
"""As many as a mark has room for."""


class _Record(msgspec.Struct):
    index: int
    error: Any = None
    usage: msgspec.Raw = NO_JSON
    response: msgspec.Raw = NO_JSON


class _Usage(msgspec.Struct):
    """Tokens under the names of flat records, and of OpenAI's."""

    prompt_tokens: Tokens = 0
    output_tokens: Tokens = 0
    completion_tokens: Tokens = 0


class _Body(msgspec.Struct):
    usage: _Usage | None = None


class _Response(msgspec.Struct):
    body: _Body | None = None


_decode_usage = msgspec.json.Decoder(_Usage).decode
_decode_response = msgspec.json.Decoder(_Response).decode
_decode = msgspec.json.Decoder(_Record).decode


def foreign_file(paths: Paths) -> Path | None:
    """The first of a batch's two files that no batch wrote; None if there is none.

    Such a one holds something, and does not begin with a record of a batch.
    """
    return next(filter(_is_foreign, (paths.output, paths.errors)), None)


def _is_foreign(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            line = file.readline(RECORD_BYTES_MAX)
    except FileNotFoundError:
        return False
    return bool(line) and _record(line) is None


def rebuild(paths: Paths, about: About, disk: Disk) -> None:
    """Make a journal and leave it under the name that `finish_rebuild` looks for.

    A new batch has no files yet, and so a journal without groups.
    """
    path = paths.new_journal
    for name in ("", *LOGS):
        beside(path, name).unlink(missing_ok=True)
    journal = Journal.open(path, disk)
    try:
        journal.create(about)
        for frame in _frames(paths):
            journal.append(frame)
    finally:
        journal.close()
    if beside(path, "-wal").exists():
        raise OSError(None, "SQLite did not end its log", str(path))
    path.rename(paths.ready_journal)
    disk.sync_folder(path.parent)


def finish_rebuild(paths: Paths, disk: Disk) -> tuple[bool, Path | None]:
    """Put a journal that `rebuild` made in its place; harmless if there is none.

    Returns:
        Whether there was one, and the new name of the one that it replaces, if that held anything.
    """
    if not paths.ready_journal.exists():
        return False, None
    aside = None
    if paths.journal.exists():
        aside = free_name(paths.journal, "broken")
        paths.journal.rename(aside)
    for log in LOGS:
        old = beside(paths.journal, log)
        if old.exists():
            old.rename(beside(aside or free_name(paths.journal, "broken"), log))
    disk.sync_folder(paths.journal.parent)
    paths.ready_journal.rename(paths.journal)
    disk.sync_folder(paths.journal.parent)
    return True, aside


def _frames(paths: Paths) -> Iterator[Frame]:
    met = Standings()
    before = NOTHING
    for path, is_failed in ((paths.output, False), (paths.errors, True)):
        records = _records(path, met, is_failed=is_failed)
        while group := list(itertools.islice(records, _GROUP_ROWS)):
            before = _frame(before, group, is_failed=is_failed)
            yield before


def _frame(before: Frame, group: list[tuple[Mark, str]], *, is_failed: bool) -> Frame:
    kinds = tuple(dict.fromkeys(kind for _, kind in group)) if is_failed else ()
    places = {kind: place for place, kind in enumerate(kinds, 1)}
    marks = tuple(mark._replace(kind=places.get(kind, 0)) for mark, kind in group)
    return next_frame(before, marks, kinds)


def _records(path: Path, met: Standings, *, is_failed: bool) -> Iterator[tuple[Mark, str]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while line := file.readline(RECORD_BYTES_MAX):
            record = _record(line)
            if record is None or met.has(record.index):
                return
            met.note(record.index, 0, is_failed=is_failed)
            crc = zlib.crc32(line)
            tokens = _tokens(record)
            yield Mark(record.index, 0, len(line), crc, 0, *tokens), _kind(record.error)


def _record(line: bytes) -> _Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return record if 0 <= record.index <= NUMBER_MAX else None


def _tokens(record: _Record) -> tuple[int, int]:
    """Tokens of the prompt and of the answer, as far as a record tells them."""
    response = _read(_decode_response, record.response)
    body = response.body if response is not None else None
    usage = body.usage if body is not None else None
    usage = usage or _read(_decode_usage, record.usage) or _Usage()
    return usage.prompt_tokens, max(usage.output_tokens, usage.completion_tokens)


def _read(decode: Callable[[msgspec.Raw], T], told: msgspec.Raw) -> T | None:
    """A part of a record; None if it is something else, such as a field of the input."""
    try:
        return decode(told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _kind(error: Any) -> str:
    told = error if isinstance(error, dict) else {}
    kind = told.get("type") or told.get("code")
    return kind if isinstance(kind, str) else "unknown"
