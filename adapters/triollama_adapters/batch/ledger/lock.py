"""One process at a time: an advisory lock on a file of its own, which holds the process's id.

Not on the journal: SQLite's own locks on that file are lost as soon as any descriptor of it is
closed (POSIX), and a broken journal is renamed. The system lets go of the lock when the process
dies, however that happens; a lock file that is left behind therefore locks nothing.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

from triollama_adapters.batch.errors import OutputBusyError

__all__ = ["Lock", "holder_of"]

TRIES: Final = 5
TRY_EVERY_S: Final = 0.01
"""Who asks for a lock's holder holds it as well, for some microseconds."""


class Lock:
    """A held lock. Made by `Lock.take`."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path, output: Path) -> Lock:
        """Take it at once.

        Raises:
            OutputBusyError: another process, or this one, holds it.
            OSError: the file cannot be made.
        """
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock_or_tell(fd, output)
                if _is_same(fd, path):
                    os.ftruncate(fd, 0)
                    os.write(fd, b"%d\n" % os.getpid())
                    return cls(path, fd)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # its holder removed it between our open and our lock

    def release(self) -> None:
        """Let go, and remove the file. Harmless when repeated."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            # While it is still held: whoever opened it before sees that its name is gone.
            if sys.platform != "win32" and _is_same(fd, self._path):
                self._path.unlink()
        except OSError:
            pass  # a lock file that stays locks nothing
        finally:
            os.close(fd)


def holder_of(path: Path) -> int | None:
    """The process that holds a lock; 0 if one does that cannot be named; None if nobody does.

    Args:
        path: of the lock file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _lock(fd, is_shared=True) else _told(fd) or 0
    finally:
        os.close(fd)


def _told(fd: int) -> int | None:
    """The id that stands in a lock file."""
    holder = os.read(fd, 32)
    return int(holder) if holder.strip().isdigit() else None


def _lock_or_tell(fd: int, output: Path) -> None:
    for tries in range(TRIES):
        if _lock(fd):
            return
        if tries < TRIES - 1:
            time.sleep(TRY_EVERY_S)
    pid = _told(fd)
    by = "another process" if pid is None else f"process {pid}"
    raise OutputBusyError(
        f"the output {output} is in use by {by}; wait for it, or choose another with -o", pid=pid
    )


def _is_same(fd: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), named)


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # a locked byte cannot be read; the id stands before it

    def _lock(fd: int, *, is_shared: bool = False) -> bool:
        del is_shared  # there is one kind only
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
        return True
else:
    import fcntl

    def _lock(fd: int, *, is_shared: bool = False) -> bool:
        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
