"""One of the two files that a batch writes, which only grows but for cuts that are asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from triollama_adapters.batch.errors import LedgerError
from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.paths import free_name

__all__ = ["OutputFile", "system_errors_told"]

COPIED_BYTES = 1 << 20
"""Of a read while a copy is made."""


@contextlib.contextmanager
def system_errors_told(path: Path, doing: str = "write") -> Iterator[None]:
    """Make `LedgerError` of `OSError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LedgerError(
            f"cannot {doing} {path}: {reason}; what was finished before is safe: "
            "put that right, then resume the batch",
            errno=error.errno,
        ) from error


class OutputFile:
    """An open file.

    Args:
        path: its name; the file is made if there is none.
        disk: reads and writes.

    Attributes:
        path: its name.
        length: bytes that are known to the journal, and so to be kept.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self.length = 0
        self._disk = disk
        with system_errors_told(path, "open"):
            self._fd = disk.open(path)

    def size(self) -> int:
        """How long the file is now."""
        return os.fstat(self._fd).st_size

    def read(self, start: int, size: int) -> bytes:
        """Up to `size` bytes from `start`."""
        with system_errors_told(self.path, "read"):
            return self._disk.read(self._fd, start, size)

    def check(self) -> None:
        """See that nobody else has touched the file, before anything is written to it.

        Raises:
            LedgerError: it is no longer the one that was opened, or somebody has written to it.
        """
        with system_errors_told(self.path):
            self._check()

    def append(self, data: bytes) -> None:
        """Write at the end and wait for the disk. `length` stays: the journal is told next.

        Raises:
            LedgerError: it failed.
        """
        with system_errors_told(self.path):
            self._write(self._fd, data)
            self._disk.sync(self._fd)

    def cut(self, length: int) -> None:
        """Cut the file to a length, which becomes `length`, and wait for the disk."""
        with system_errors_told(self.path):
            if self.size() > length:
                self._disk.truncate(self._fd, length)
                self._disk.sync(self._fd)
            self.length = length

    def withdraw(self) -> None:
        """Cut off what the journal was not told of, so that no reader meets half a record.

        It may fail, and then the next opening does it.
        """
        with contextlib.suppress(OSError):
            self._disk.truncate(self._fd, self.length)

    def keep_from(self, start: int) -> Path:
        """Copy the bytes from `start` to a new file beside this one; its name."""
        kept = free_name(self.path, "cut")
        with system_errors_told(kept):
            fd = self._disk.open(kept)
            try:
                while part := self._disk.read(self._fd, start, COPIED_BYTES):
                    start += len(part)
                    self._write(fd, part)
                self._disk.sync(fd)
            finally:
                os.close(fd)
        return kept

    def close(self) -> None:
        """Close it. Harmless when repeated."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _write(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._disk.write(fd, rest) :]

    def _check(self) -> None:
        try:
            named = self.path.stat()
        except FileNotFoundError:
            named = None
        if named is None or not os.path.samestat(named, os.fstat(self._fd)):
            raise LedgerError(
                f"{self.path} was removed or replaced while it was written; "
                "put it back, or resume the batch to ask its rows again"
            )
        if named.st_size != self.length:
            raise LedgerError(
                f"something else has changed {self.path} while it was written; "
                "look at it, then resume the batch, which cuts off what is not its own"
            )
