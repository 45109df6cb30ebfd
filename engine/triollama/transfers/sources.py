"""What is uploaded: a file by its path, a file object, or bytes. All of it blocks: for threads.

Owns the question whether a file is still what it was: `Stamp`.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import attrs

from triollama._errors import InvalidRequestError
from triollama.api._problems import refused

__all__ = ["BlobInput", "Reading", "Source", "Stamp", "as_source"]

BlobInput = str | Path | bytes | bytearray | memoryview | BinaryIO
"""What can be uploaded: a path, bytes, or a seekable binary file."""


@attrs.frozen
class Stamp:
    """What tells that a file has changed, short of reading it.

    Attributes:
        size_bytes: its size.
        changed_ns: when it was last written, as its file system tells; 0 where none does.
        inode: which file it is; 0 as above.
    """

    size_bytes: int
    changed_ns: int = 0
    inode: int = 0


class Reading(Protocol):
    """A source that is open, read from its beginning."""

    def stamp(self) -> Stamp:
        """What it is now."""

    def read(self, size_bytes: int) -> bytes:
        """The next bytes, at most so many; empty at the end.

        Raises:
            InvalidRequestError: it cannot be read any more.
        """

    def close(self) -> None:
        """Let it go."""


class Source(Protocol):
    """Something that can be read from its beginning, more than once and side by side."""

    name: str
    """The path; empty where there is none."""

    def open(self) -> Reading:
        """Begin to read it.

        Raises:
            InvalidRequestError: it cannot be read.
        """


def as_source(given: object, where: str) -> Source:
    """What was given, as something to read.

    Args:
        given: any form of `BlobInput`.
        where: what it is, as the error should name it.

    Raises:
        InvalidRequestError: it is nothing of the kind.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return _Bytes(bytes(given))
    if isinstance(given, str | os.PathLike):
        return _Path(os.fspath(given), where)
    if isinstance(given, io.TextIOBase):
        told = f"{where} is a text file: open it with mode 'rb'"
        raise refused(where, "a text file", "a file opened with mode 'rb'", told)
    if all(callable(getattr(given, name, None)) for name in ("read", "seek", "tell")):
        return _File(given, where)  # type: ignore[arg-type]  # checked by its methods
    raise refused(where, type(given).__name__, "a path, bytes or a binary file")


@contextmanager
def _readable(where: str, what: str) -> Iterator[None]:
    """Tell that something cannot be read, in our words.

    Raises:
        InvalidRequestError: a call on a file raised what such calls raise.
    """
    try:
        yield
    except InvalidRequestError:
        raise  # it is a ValueError, too
    except (OSError, ValueError) as error:
        told = (isinstance(error, OSError) and error.strerror) or "it is closed, or no file"
        raise _unreadable(where, what, f"cannot be read: {told}") from error


def _unreadable(where: str, what: str, why: str) -> InvalidRequestError:
    return refused(where, f"a file that {why}", "a file that can be read", f"{what} {why}")


class _Bytes:
    name = ""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self) -> Reading:
        return _BytesReading(self._data)


class _BytesReading:
    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self._stamp = Stamp(len(data))

    def stamp(self) -> Stamp:
        return self._stamp

    def read(self, size_bytes: int) -> bytes:
        return self._file.read(size_bytes)

    def close(self) -> None:
        self._file.close()


class _Path:
    def __init__(self, path: str, where: str) -> None:
        self.name = path
        self._where = where

    def open(self) -> Reading:
        where, what = self._where, f"{self._where}: {self.name!r}"
        if "\0" in self.name:
            raise _unreadable(where, what, "cannot be read: it is no path")
        with _readable(where, what):
            # Before it is opened: that would wait for the other end of a FIFO.
            mode = Path(self.name).stat().st_mode
            if not stat.S_ISREG(mode):
                kind = "a folder: name the files in it" if stat.S_ISDIR(mode) else "no regular file"
                raise _unreadable(where, what, f"is {kind}")
            return _FileReading(Path(self.name).open("rb", buffering=0), where, what)


class _FileReading:
    def __init__(self, file: io.FileIO, where: str, what: str) -> None:
        self._file = file
        self._where = where
        self._what = what

    def stamp(self) -> Stamp:
        with _readable(self._where, self._what):
            now = os.fstat(self._file.fileno())
        return Stamp(now.st_size, now.st_mtime_ns, now.st_ino)

    def read(self, size_bytes: int) -> bytes:
        with _readable(self._where, self._what):
            return self._file.read(size_bytes)

    def close(self) -> None:
        self._file.close()


class _File:
    """A file object that is the caller's: read from where it stands, and not closed."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        self.name = ""
        self._file = file
        self._where = where
        self._lock = threading.Lock()
        self._began: int | None = None

    def open(self) -> Reading:
        try:
            with self._lock:
                if self._began is None:
                    self._began = self._file.tell()
                end = self._file.seek(0, os.SEEK_END)
        except (OSError, ValueError) as error:
            told = "is closed" if self._is_closed() else "is a file that is not seekable"
            raise _unreadable(self._where, self._where, told) from error
        return _SharedReading(self._file, self._lock, self._began, end, self._where)

    def _is_closed(self) -> bool:
        return getattr(self._file, "closed", False) is True


class _SharedReading:
    """One reader of a file object that others read, too."""

    def __init__(
        self, file: BinaryIO, lock: threading.Lock, began: int, end: int, where: str
    ) -> None:
        self._where = where
        self._file = file
        self._lock = lock
        self._at = began
        self._size_bytes = end - began

    def stamp(self) -> Stamp:
        return Stamp(self._size_bytes)

    def read(self, size_bytes: int) -> bytes:
        with self._lock, _readable(self._where, self._where):
            self._file.seek(self._at)
            data = self._file.read(size_bytes)
        if not isinstance(data, bytes):
            raise InvalidRequestError("the file gives no bytes: open it with mode 'rb'")
        self._at += len(data)
        return data

    def close(self) -> None:
        """Nothing: the file is the caller's."""
