"""The journal: which rows have an outcome, in SQLite. To be used in one thread at a time.

Write-ahead log, ``synchronous=FULL``: a transaction that has ended survives a power cut. One table
holds the groups (see `frames`), one holds two named values: ``about``, which says what batch this
is, and ``last``, the id of the last group, so that groups which SQLite loses at the end of their
table without noticing are missed all the same. Where somebody stored figures, a third, ``figures``,
holds them; nothing depends on it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from triollama_adapters.batch.errors import JournalVersionError
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.frames import NOTHING, DamagedError, Frame, follows, rows_of

__all__ = ["UNREADABLE", "VERSION", "About", "Journal", "Rewrite", "is_damage"]

VERSION: Final = 1

Rewrite = Callable[[Frame, Frame], Frame]
"""Gives the new group for the one before, as it is now, and the old group."""

_IN_ORDER: Final = "SELECT id, body FROM groups ORDER BY id"

BUSY_S: Final = 10.0
"""How long a reader of a journal that is being written waits for SQLite's own short locks."""

_ENVIRONMENT: Final = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
    }
)
"""Errors that say nothing about the journal's content."""

UNREADABLE: Final = (sqlite3.Error, DamagedError, UnicodeDecodeError)
"""What reading a journal may raise: SQLite quotes damaged names in its messages, and the module
then fails to decode the message."""


@attrs.frozen
class About:
    """What batch a journal belongs to.

    Attributes:
        settings: what it was begun with; None if that was lost with an earlier journal.
        notes: what may differ from one resume to the next; None as `settings`.
        started_s: when, in seconds since 1970.
        input_rows: rows of the input, once they are known.
        version: of the journal.
    """

    settings: dict[str, Any] | None = attrs.field(default=None, repr=False)
    notes: dict[str, Any] | None = attrs.field(default=None, repr=False)
    started_s: float = attrs.field(factory=time.time)
    input_rows: int | None = None
    version: int = VERSION

    def encode(self) -> bytes:
        """As bytes, with a checksum."""
        rest = msgspec.json.encode(attrs.asdict(self, recurse=False))
        return zlib.crc32(rest).to_bytes(4, "little") + rest

    @classmethod
    def decode(cls, data: bytes) -> About:
        """From bytes.

        Raises:
            DamagedError: they are not what `encode` gave.
            JournalVersionError: they are, in another version of this program.
        """
        if data[:4] != zlib.crc32(data[4:]).to_bytes(4, "little"):
            raise DamagedError("what the journal tells of itself has a wrong checksum")
        told = msgspec.json.decode(data[4:])
        if told["version"] != VERSION:
            raise JournalVersionError(
                f"the journal has version {told['version']}, and this program reads version "
                f"{VERSION}; finish the batch with the program that began it",
                found=told["version"],
                known=VERSION,
            )
        return cls(**told)


def is_damage(error: Exception, path: Path) -> bool:
    """Whether one of `UNREADABLE` is about the file's content, not the disk or its rights."""
    if not isinstance(error, sqlite3.Error):
        return True
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return True  # the module's own: a value is not of the type that was stored
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return True
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        # Also said of a header that claims to be from a later SQLite.
        return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return code & 0xFF not in _ENVIRONMENT


class Journal:
    """An open journal.

    Its methods raise `sqlite3.Error`, and those that read any of `UNREADABLE`. After an error in a
    method that writes, the journal must be closed: whether that write is durable is known only when
    it is opened again.
    """

    def __init__(self, connection: sqlite3.Connection, disk: Disk) -> None:
        self._connection = connection
        self._disk = disk

    @classmethod
    def open(cls, path: Path, disk: Disk) -> Journal:
        """Open it for writing; the file is made if there is none."""
        connection = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        journal = cls(connection, disk)
        try:
            connection.execute("PRAGMA cell_size_check=ON")
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def open_to_read(cls, path: Path, disk: Disk, *, is_still: bool = False) -> Journal:
        """Open one to read.

        Args:
            path: where it is.
            disk: reads.
            is_still: nobody writes it meanwhile, and it has no log. Then nothing is written beside
                it; else another process may be writing it.
        """
        uri = f"{path.absolute().as_uri()}?{'immutable=1' if is_still else 'mode=ro'}"
        connection = sqlite3.connect(
            uri, timeout=BUSY_S, isolation_level=None, check_same_thread=False, uri=True
        )
        return cls(connection, disk)

    def close(self) -> None:
        """Close it. What has been committed stays, whether or not this succeeds."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def create(self, about: About) -> None:
        """Fill a new one."""
        with self._transaction():
            self._connection.execute("CREATE TABLE named (name TEXT PRIMARY KEY, value)")
            self._connection.execute(
                "CREATE TABLE groups (id INTEGER PRIMARY KEY, body BLOB NOT NULL)"
            )
            self._set("about", about.encode())
            self._set("last", 0)

    def about(self) -> About:
        """What batch it belongs to."""
        value = self._get("about")
        if not isinstance(value, bytes):
            raise DamagedError("the journal does not say what it is about")
        return About.decode(value)

    def set_about(self, about: About) -> None:
        """Change what it says of its batch."""
        with self._transaction():
            self._set("about", about.encode())

    def figures(self) -> bytes | None:
        """What `set_figures` stored; None if nothing."""
        value = self._get("figures")
        return value if isinstance(value, bytes) else None

    def set_figures(self, data: bytes) -> None:
        """Store figures, in place of the former ones."""
        with self._transaction():
            self._set("figures", data)

    def outlines(self) -> Iterator[tuple[Frame, Iterator[tuple[int, int, int]]]]:
        """All groups in order, each checked, and the end too.

        Yields:
            A group without its marks, and of each mark what `rows_of` tells.
        """
        before = NOTHING
        with contextlib.closing(self._connection.execute(_IN_ORDER)) as groups:
            for id_, body in groups:
                frame = _checked(id_, body, has_marks=False)
                if not follows(before, frame):
                    raise DamagedError("a group is missing")
                yield frame, rows_of(body)
                before = frame
        if before.id != self._get("last"):
            raise DamagedError("the last groups are missing")

    def frames_backwards(self) -> Iterator[Frame]:
        """All groups, the last one first."""
        return self._select("SELECT id, body FROM groups ORDER BY id DESC")

    def last(self) -> Frame:
        """The last group, or `NOTHING`."""
        query = "SELECT id, body FROM groups ORDER BY id DESC LIMIT 1"
        return next(self._select(query), NOTHING)

    def append(self, *frames: Frame) -> None:
        """Add groups, in one transaction."""
        with self._transaction():
            for frame in frames:
                self._connection.execute(
                    "INSERT INTO groups VALUES (?, ?)", (frame.id, frame.encode())
                )
            self._set("last", frames[-1].id)

    def rewrite(self, first: int, change: Rewrite) -> Frame:
        """Change groups from one on, in one transaction; the last one, as it is now."""
        with self._transaction():
            before = self._frame(first - 1) if first > 1 else NOTHING
            last = self._get("last")
            for id_ in range(first, last + 1):
                before = change(before, self._frame(id_))
                self._connection.execute(
                    "UPDATE groups SET body = ? WHERE id = ?", (before.encode(), id_)
                )
        return before

    def _frame(self, id_: int) -> Frame:
        query = "SELECT id, body FROM groups WHERE id = ?"
        frame = next(self._select(query, (id_,)), None)
        if frame is None:
            raise DamagedError("a group is missing")
        return frame

    def _select(self, query: str, values: tuple[int, ...] = ()) -> Iterator[Frame]:
        with contextlib.closing(self._connection.execute(query, values)) as rows:
            for id_, body in rows:
                yield _checked(id_, body, has_marks=True)

    def _get(self, name: str) -> Any:
        query = "SELECT value FROM named WHERE name = ?"
        found = self._connection.execute(query, (name,)).fetchone()
        return found[0] if found else None

    def _set(self, name: str, value: bytes | int) -> None:
        self._connection.execute("INSERT OR REPLACE INTO named VALUES (?, ?)", (name, value))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._disk.commit(self._connection)
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            raise


def _checked(id_: int, body: object, *, has_marks: bool) -> Frame:
    """A group as the table holds it."""
    if isinstance(body, bytes):
        frame = Frame.decode(body, has_marks=has_marks)
        if frame.id == id_:
            return frame
    raise DamagedError("a group is not what was written")
