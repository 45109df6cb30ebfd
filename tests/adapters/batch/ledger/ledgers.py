"""Entries, a disk that fails, and how a batch's files must look in the end."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import attrs

from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.ledger import Entry, Ledger, Standing
from triollama_adapters.batch.ledger.paths import Paths

T = TypeVar("T")

SETTINGS = {"model": "llama3.2", "prompt": "Say: {text}"}


def digest_of(number: int) -> bytes:
    """The digest of a row."""
    return blake2b(b"row %d" % number, digest_size=16).digest()


def entry_of(number: int) -> Entry:
    """The outcome of a row; every fifth one fails."""
    is_failed = number % 5 == 4
    outcome = {"error": {"type": "TimeoutError"}} if is_failed else {"content": "é" * (number % 7)}
    record = json.dumps({"index": number, **outcome}, ensure_ascii=False).encode() + b"\n"
    kind = "TimeoutError" if is_failed else None
    return Entry(number, digest_of(number), record, kind, 2 * (not is_failed), 3 * (not is_failed))


def missing(ledger: Ledger, count: int) -> list[Entry]:
    """The outcomes of rows that have none, as a job that is resumed would give them."""
    entries = []
    for number in range(count):
        standing = ledger.standing(number, digest_of(number))
        assert standing is not Standing.CHANGED
        if standing is Standing.NEW:
            entries.append(entry_of(number))
    return entries


def content(path: Path) -> bytes:
    """What a file holds."""
    return path.read_bytes()


def put(path: Path, data: bytes | None) -> None:
    """Write a file, or remove it."""
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)


def assert_each_once(output: Path, count: int) -> None:
    """Each row is in its file once, as it was given."""
    paths = Paths(output)
    for path, is_failed in ((paths.output, False), (paths.errors, True)):
        wanted = sorted(
            each.record
            for each in map(entry_of, range(count))
            if (each.error_kind is not None) is is_failed
        )
        assert sorted(path.read_bytes().splitlines(keepends=True)) == wanted


@attrs.define
class FaultyDisk(Disk):
    """Counts what is asked of it, and lets the n-th call of one kind fail.

    Attributes:
        kind: the kind of call that fails.
        nth: which one, from 1; 0: none.
        mode: ``before``: nothing is done; ``half``: half of a write is; ``after``: all is done.
        counts: how often each kind was called.
        calls: the kinds in the order of the calls.
    """

    kind: str = ""
    nth: int = 0
    mode: str = "before"
    counts: dict[str, int] = attrs.field(factory=dict)
    calls: list[str] = attrs.field(factory=list)

    def _faulty(self, kind: str, work: Callable[[], T], half: Callable[[], object]) -> T:
        self.calls.append(kind)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind != self.kind or self.counts[kind] != self.nth:
            return work()
        if self.mode == "half":
            half()
        elif self.mode == "after":
            work()
        if kind == "commit":
            raise sqlite3.OperationalError("disk I/O error")
        raise OSError(errno.ENOSPC, "No space left on device")

    def open(self, path: Path) -> int:
        """Open; perhaps fail."""
        return self._faulty("open", lambda: super(FaultyDisk, self).open(path), _nothing)

    def read(self, fd: int, start: int, size: int) -> bytes:
        """Read; perhaps fail."""
        work = super().read
        return self._faulty("read", lambda: work(fd, start, size), _nothing)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write at most 50 bytes, so that every write is a short one; perhaps fail."""
        part = memoryview(data)[:50]
        half = part[: len(part) // 2]
        return self._faulty(
            "write", lambda: super(FaultyDisk, self).write(fd, part), lambda: self._raw(fd, half)
        )

    def sync(self, fd: int) -> None:
        """Wait for the disk; perhaps fail."""
        self._faulty("sync", lambda: super(FaultyDisk, self).sync(fd), _nothing)

    def truncate(self, fd: int, length: int) -> None:
        """Cut; perhaps fail."""
        self._faulty("truncate", lambda: super(FaultyDisk, self).truncate(fd, length), _nothing)

    def sync_folder(self, path: Path) -> None:
        """Wait for the disk; perhaps fail."""
        self._faulty("sync_folder", lambda: super(FaultyDisk, self).sync_folder(path), _nothing)

    def commit(self, connection: sqlite3.Connection) -> None:
        """End a transaction; perhaps fail, before or after it is durable."""
        self._faulty("commit", lambda: super(FaultyDisk, self).commit(connection), _nothing)

    def _raw(self, fd: int, data: memoryview) -> None:
        super().write(fd, data)


def _nothing() -> None:
    """Half of what has no halves."""
