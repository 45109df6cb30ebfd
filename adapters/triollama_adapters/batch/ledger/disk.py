"""The few operations on files whose failure decides what is kept, in one place.

`Disk` is the real one. Tests derive from it and let the n-th call fail.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

__all__ = ["Disk"]

# Windows has these two and needs the second; POSIX has neither.
_BINARY: int = getattr(os, "O_BINARY", 0)
_IS_WINDOWS = os.name == "nt"


class Disk:
    """Reads, writes and makes durable. Each method raises `OSError`, `commit` `sqlite3.Error`."""

    def open(self, path: Path) -> int:
        """Open a file for reading and for writing at its end; make it if there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _BINARY, 0o666)

    def read(self, fd: int, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start`; fewer at the end of the file only."""
        os.lseek(fd, start, os.SEEK_SET)
        parts = []
        while size and (part := os.read(fd, size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Append some of the data; how many bytes it took."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Return when the file's content and length survive a power cut."""
        os.fsync(fd)

    def truncate(self, fd: int, length: int) -> None:
        """Cut the file to this length."""
        os.ftruncate(fd, length)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder survive a power cut. Windows cannot do that."""
        if _IS_WINDOWS:
            return
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def commit(self, connection: sqlite3.Connection) -> None:
        """End a transaction; SQLite returns when it survives a power cut (``synchronous=FULL``)."""
        connection.execute("COMMIT")
