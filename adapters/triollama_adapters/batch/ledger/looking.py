"""Opens a journal for who only looks, and leaves nothing beside it.

SQLite makes two files beside a journal that it opens, and only who may write removes them. So one
that nobody writes is opened as a file that does not change; one that died with a log is opened as
it is if both files are there, and else copied, with its log, to where there may be new files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from triollama_adapters.batch.ledger.disk import Disk
from triollama_adapters.batch.ledger.journal import Journal
from triollama_adapters.batch.ledger.paths import beside

__all__ = ["look_into"]


@contextmanager
def look_into(path: Path, *, is_held: bool) -> Iterator[Journal]:
    """Open a journal to read.

    Args:
        path: where it is.
        is_held: whether a process has it open to write.

    Raises:
        OSError: it cannot be copied.
    """
    log, memory = beside(path, "-wal"), beside(path, "-shm")
    if is_held or (_holds(log) and memory.exists()):
        journal = Journal.open_to_read(path, Disk())
    elif not _holds(log):
        journal = Journal.open_to_read(path, Disk(), is_still=True)
    else:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / "journal"
            shutil.copyfile(path, copy)
            shutil.copyfile(log, beside(copy, "-wal"))
            with look_into(copy, is_held=True) as journal:
                yield journal
        return
    try:
        yield journal
    finally:
        journal.close()


def _holds(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except FileNotFoundError:
        return False
