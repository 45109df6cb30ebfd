"""One process at a time: an advisory lock on a file of its own, which holds the process's id.

Not on the journal: SQLite's own locks on that file are lost as soon as any descriptor of it is
closed (POSIX), and a broken journal is renamed. The system lets go of the lock when the process
dies, however that happens; a lock file that is left behind therefore locks nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from triollama_adapters.batch.errors import OutputBusyError

__all__ = ["Lock"]


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


def _lock_or_tell(fd: int, output: Path) -> None:
    if _lock(fd):
        return
    holder = os.read(fd, 32)
    pid = int(holder) if holder.strip().isdigit() else None
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

    def _lock(fd: int) -> bool:
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

    def _lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
